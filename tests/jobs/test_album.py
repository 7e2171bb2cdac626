"""What belongs together becomes one job, in whatever order and however late its parts come."""

import itertools
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import FILES, UploadStarted
from bot.jobs.messages import Button, Bytes, LocalizedMessage, with_lines
from bot.jobs.model import Attachment, Job, JobKind, QueueName
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import (
    ALBUM_PAUSE_S,
    FILE_PAUSE_S,
    LONGEST_S,
    WORDS_PAUSE_S,
    ArrivalKind,
    ArrivedPart,
    PartText,
    RequestPart,
)
from bot.jobs.queue.claimed_job import ClaimedJob, CloseOutcome
from bot.jobs.queue.job_queue import JobQueue, QueueFull
from bot.jobs.refusal_messages import continues_without, link_refusal
from bot.jobs.steps.gather import Gather, apply_parts, wait_until_quiet
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.words import Words
from tests.clocks import HandClock, passing
from tests.jobs.conftest import CHAT, Responders, new_job
from tests.jobs.test_job_queue import everything, take

SENT_AT = 1_780_000_000

_updates = itertools.count(1)


def file(number: int) -> Attachment:
    return Attachment(f"file {number}", "video", f"{number}.mp4", 100, "video/mp4")


def arrival(
    number: int,
    text: str = "",
    *,
    kind: ArrivalKind = "asked",
    replied_album: str = "",
    has_file: bool = True,
    **fields: Any,
) -> ArrivedPart:
    given: dict[str, Any] = {"sent_at": SENT_AT, "files": (file(number),) if has_file else ()}
    given["is_own"] = not fields.get("is_forwarded", False)
    return ArrivedPart(RequestPart(number, **given | fields), PartText(text), kind, replied_album)


def words(number: int, text: str, **fields: Any) -> ArrivedPart:
    return arrival(number, text, has_file=False, **fields)


def quoted(text: str) -> str:
    return Words("en").plain("prompt.quoted", words=text)


def prompt(**fields: Any) -> Job:
    return new_job(prompt="", **fields)


async def accept(job_queue: JobQueue, *arrivals: ArrivedPart, **fields: Any) -> None:
    for one in arrivals:
        await job_queue.enqueue([prompt(message_id=one.part.message_id, **fields)], next(_updates), one)


async def jobs(job_queue: JobQueue) -> list[tuple[str, list[str]]]:
    """The requests that wait, with the names of their files."""
    found = [await job_queue.find(CHAT, job_id) for job_id in await job_queue.current(CHAT, QueueName.MAIN)]
    return [(one.job.prompt, [ref.name for ref in one.job.files]) for one in found if one]


async def run_of(job_queue: JobQueue, clock: HandClock, responders: Responders | None = None) -> Attempt:
    claimed = await take(job_queue, "ticket")
    attempt = Attempt(claimed, job_queue, clock)
    attempt.responder = (responders or Responders()).open(claimed.job, attempt)
    return attempt


ALBUM = [arrival(1, album="a"), arrival(2, "add these", album="a"), arrival(3, album="a")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_an_album_is_one_job_in_whatever_order_it_comes(
    job_queue: JobQueue, order: Sequence[int]
) -> None:
    await accept(job_queue, *[ALBUM[place] for place in order])
    assert await jobs(job_queue) == [("add these", ["1.mp4", "2.mp4", "3.mp4"])]


@pytest.mark.parametrize(
    ("arrivals", "expected"),
    [
        pytest.param(
            [words(1, "merge"), arrival(2, is_forwarded=True), arrival(3, is_forwarded=True)],
            [("merge", ["2.mp4", "3.mp4"])],
            id="a comment followed by forwards",
        ),
        pytest.param(
            [words(1, "merge"), arrival(2, "not mine", is_forwarded=True, sent_at=SENT_AT + 1)],
            [("merge", ["2.mp4"])],
            id="whose captions are not the prompt",
        ),
        pytest.param(
            [arrival(1, "theirs", is_forwarded=True), arrival(2, is_forwarded=True)],
            [("", ["1.mp4", "2.mp4"])],
            id="not even where there is no other",
        ),
        pytest.param([arrival(1), words(2, "cut it")], [("cut it", ["1.mp4"])], id="a file, then words"),
        pytest.param([words(1, "cut it"), arrival(2)], [("cut it", ["2.mp4"])], id="words, then a file"),
        pytest.param(
            [words(1, "make a film of this"), words(2, "Once upon a time", is_forwarded=True)],
            [(f"make a film of this\n\n{quoted('Once upon a time')}", [])],
            id="a comment on a forwarded text",
        ),
        pytest.param(
            [words(1, "merge"), arrival(2, album="a"), arrival(3, album="a"), arrival(4, album="b")],
            [("merge", ["2.mp4", "3.mp4", "4.mp4"])],
            id="a comment on albums",
        ),
        pytest.param(
            [arrival(1, "mine", is_forwarded=True, is_own=True), arrival(2, is_forwarded=True)],
            [("mine", ["1.mp4", "2.mp4"])],
            id="one's own words, forwarded",
        ),
        pytest.param([words(1, "one"), words(2, "two")], [("one", []), ("two", [])], id="two prompts"),
        pytest.param(
            [words(1, "one", glue=""), words(2, "two", glue=" "), words(3, "three"), words(4, "four")],
            [("onetwo three", []), ("four", [])],
            id="a text that was cut",
        ),
        pytest.param(
            [words(1, "one", glue=""), arrival(2, "two"), words(3, "three")],
            [("onetwo", ["2.mp4"]), ("three", [])],
            id="a text that was cut, with a file at its end",
        ),
        pytest.param(
            [
                words(1, "one", glue=""),
                words(2, "two", kind="unaddressed"),
                words(3, "no", kind="unaddressed"),
            ],
            [("onetwo", [])],
            id="a text that was cut, in a group",
        ),
        pytest.param(
            [words(1, "one", glue=""), words(2, "two", sent_at=SENT_AT + 3)],
            [("one", []), ("two", [])],
            id="a full message, and later another",
        ),
        pytest.param(
            [words(1, "do it", context="A cat")],
            [(f"do it\n\n{quoted('A cat')}", [])],
            id="words about a message",
        ),
        pytest.param([arrival(1, context="A cat")], [("", ["1.mp4"])], id="a file about a message"),
        pytest.param(
            [arrival(1, "one"), arrival(2, "two")],
            [("one", ["1.mp4"]), ("two", ["2.mp4"])],
            id="two files with a prompt each",
        ),
        pytest.param(
            [words(1, "one"), arrival(2, sent_at=SENT_AT + 2)],
            [("one", []), ("", ["2.mp4"])],
            id="words, and later a file",
        ),
    ],
)
async def test_what_belongs_together(
    job_queue: JobQueue, arrivals: list[ArrivedPart], expected: list[tuple[str, list[str]]]
) -> None:
    await accept(job_queue, *arrivals)
    assert await jobs(job_queue) == expected


async def test_what_others_send_meanwhile_is_their_own(job_queue: JobQueue) -> None:
    await accept(job_queue, words(1, "mine"), requester_id=5)
    await accept(job_queue, arrival(2), requester_id=6)
    assert await jobs(job_queue) == [("mine", []), ("", ["2.mp4"])]


async def test_a_repeated_update_adds_nothing(job_queue: JobQueue, redis: Redis) -> None:
    await job_queue.enqueue([prompt()], 7, ALBUM[0])
    await job_queue.enqueue([prompt()], 8, ALBUM[1])
    before = await everything(redis)
    assert not (await job_queue.enqueue([prompt()], 8, ALBUM[1])).is_new
    assert await everything(redis) == before


async def test_in_a_full_queue_a_part_still_joins_and_a_new_prompt_does_not(job_queue: JobQueue) -> None:
    await accept(
        job_queue, *[words(number, f"request {number}", sent_at=number * 10) for number in range(1, 5)]
    )
    await accept(job_queue, ALBUM[0])
    await accept(job_queue, ALBUM[1])
    with pytest.raises(QueueFull):
        await accept(job_queue, arrival(9, sent_at=SENT_AT + 60))
    assert (await jobs(job_queue))[-1] == ("add these", ["1.mp4", "2.mp4"])


class TestGroups:
    async def test_parts_that_came_before_the_one_that_asks_belong_to_it(self, job_queue: JobQueue) -> None:
        await accept(job_queue, arrival(1, album="a", kind="unaddressed"), arrival(2, "merge", album="a"))
        await accept(job_queue, arrival(3, album="a", kind="unaddressed"))
        assert await jobs(job_queue) == [("merge", ["1.mp4", "2.mp4", "3.mp4"])]

    async def test_an_album_that_asks_for_nothing_is_no_job(self, job_queue: JobQueue) -> None:
        await accept(
            job_queue, arrival(1, album="a", kind="unaddressed"), arrival(2, album="a", kind="unaddressed")
        )
        assert await jobs(job_queue) == []

    async def test_an_answer_to_an_album_takes_all_of_it_that_was_seen(self, job_queue: JobQueue) -> None:
        await accept(job_queue, *[arrival(number, album="a", kind="unaddressed") for number in (1, 2, 3)])
        answer = ArrivedPart(
            RequestPart(9, SENT_AT + 500), PartText("merge"), replied_album="a", replied_part=arrival(2).part
        )
        await accept(job_queue, answer, requester_id=77)
        assert await jobs(job_queue) == [("merge", ["1.mp4", "2.mp4", "3.mp4"])]

    async def test_an_answer_to_an_album_that_was_not_seen_takes_what_it_answers(
        self, job_queue: JobQueue
    ) -> None:
        await accept(
            job_queue, ArrivedPart(RequestPart(9, SENT_AT), PartText("merge"), "asked", "a", arrival(2).part)
        )
        assert await jobs(job_queue) == [("merge", ["2.mp4"])]


class TestClosing:
    async def test_a_job_that_was_closed_takes_no_more(self, job_queue: JobQueue) -> None:
        await accept(job_queue, ALBUM[0])
        claimed = await take(job_queue, "a")
        version = (await job_queue.gathered(claimed.job)).version
        await accept(job_queue, ALBUM[1])
        assert await job_queue.close(claimed, version) is CloseOutcome.CHANGED
        found = await job_queue.gathered(claimed.job)
        assert found.job.prompt == "add these"
        assert await job_queue.close(claimed, found.version) is CloseOutcome.OK
        assert await job_queue.close(claimed, found.version) is CloseOutcome.OK
        await accept(job_queue, ALBUM[2])
        assert await jobs(job_queue) == [("add these", ["1.mp4", "2.mp4"]), ("", ["3.mp4"])]

    async def test_an_earlier_attempt_can_not_close(self, job_queue: JobQueue) -> None:
        await accept(job_queue, ALBUM[0])
        old = await take(job_queue, "a")
        await take(job_queue, "a")
        assert (
            await job_queue.close(old, (await job_queue.gathered(old.job)).version) is CloseOutcome.SUPERSEDED
        )

    async def test_late_parts_are_told_as_such_and_ask_nothing_twice(self, job_queue: JobQueue) -> None:
        await accept(job_queue, ALBUM[1])
        await self._close(job_queue)
        await accept(job_queue, arrival(3, "me too", album="a"), arrival(4, album="a"))
        (late,) = [
            await job_queue.find(CHAT, one) for one in (await job_queue.current(CHAT, QueueName.MAIN))[1:]
        ]
        assert late is not None
        assert (late.job.prompt, [ref.name for ref in late.job.files]) == ("", ["3.mp4", "4.mp4"])
        payload = late.job.payload_as(EditPayload)
        assert payload.is_late
        assert payload.text_not_asked_for == "me too"  # A button offers to do what they say.

    async def test_a_late_caption_is_the_prompt_of_an_album_that_had_none(self, job_queue: JobQueue) -> None:
        await accept(job_queue, ALBUM[0])
        await self._close(job_queue)
        await accept(job_queue, ALBUM[1])
        assert (await jobs(job_queue))[1] == ("add these", ["2.mp4"])

    @staticmethod
    async def _close(job_queue: JobQueue) -> ClaimedJob:
        claimed = await take(job_queue, "a")
        await job_queue.close(claimed, (await job_queue.gathered(claimed.job)).version)
        return claimed


class TestEdits:
    OFFER = "the offer"

    async def _edit(self, job_queue: JobQueue, number: int, text: str, **fields: Any) -> None:
        offer = new_job(queue=QueueName.QUICK, kind=JobKind.MESSAGE, prompt=text)
        edited = arrival(number, text, kind="edited", **{"has_file": False, **fields})
        await job_queue.enqueue([offer], next(_updates), edited)

    async def test_the_words_of_a_waiting_prompt_change(self, job_queue: JobQueue) -> None:
        await accept(job_queue, *ALBUM)
        await self._edit(job_queue, 2, "merge these", has_file=True)
        assert await jobs(job_queue) == [("merge these", ["1.mp4", "2.mp4", "3.mp4"])]
        assert await job_queue.current(CHAT, QueueName.QUICK) == []

    async def test_a_begun_prompt_stays_and_the_offer_is_made_once(self, job_queue: JobQueue) -> None:
        await accept(job_queue, words(1, "a cat"))
        await TestClosing._close(job_queue)
        for text in ("a dog", "a dog"):
            await self._edit(job_queue, 1, text)
        assert await jobs(job_queue) == [("a cat", [])]
        assert len(await job_queue.current(CHAT, QueueName.QUICK)) == 1

    async def test_the_file_of_a_waiting_request_is_replaced(self, job_queue: JobQueue) -> None:
        await accept(job_queue, *ALBUM)
        await self._edit(job_queue, 2, "add these", files=(file(9),), file_unique_id="9", album="a")
        assert await jobs(job_queue) == [("add these", ["1.mp4", "9.mp4", "3.mp4"])]
        assert await job_queue.current(CHAT, QueueName.QUICK) == []

    async def test_a_file_is_not_replaced_once_the_upload_has_begun_but_words_are(
        self, job_queue: JobQueue, clock: HandClock
    ) -> None:
        await accept(job_queue, arrival(1, "trim it", file_unique_id="1"))
        attempt = await run_of(job_queue, clock)
        await attempt.save(UploadStarted(digest_before="", sources=("file 1",)), FILES)
        for _ in range(2):
            await self._edit(job_queue, 1, "trim it", files=(file(9),), file_unique_id="9")
        assert await jobs(job_queue) == [("trim it", ["1.mp4"])]
        assert len(await job_queue.current(CHAT, QueueName.QUICK)) == 1
        await self._edit(job_queue, 1, "cut it", files=(file(1),), file_unique_id="1")
        assert await jobs(job_queue) == [("cut it", ["1.mp4"])]

    async def test_one_edited_piece_of_a_paste_is_shown_with_the_others(self, job_queue: JobQueue) -> None:
        await accept(job_queue, words(1, "a cat ", glue=""), words(2, "on a roof"))
        claimed = await TestClosing._close(job_queue)
        edited = await job_queue.with_edit(claimed.job, words(1, "a dog ", glue="", kind="edited"))
        assert edited.prompt == "a dog on a roof"

    async def test_what_changes_no_words_or_belongs_to_nothing_is_ignored(
        self, job_queue: JobQueue, redis: Redis
    ) -> None:
        await accept(job_queue, words(1, "a cat"))
        before = {name: found for name, found in (await everything(redis)).items() if ":update:" not in name}
        await self._edit(job_queue, 1, "a cat")
        await self._edit(job_queue, 99, "a dog")
        after = {name: found for name, found in (await everything(redis)).items() if ":update:" not in name}
        assert after == before


async def gather_all(attempt: Attempt) -> None:
    """Take in a request once it is whole, as the upload does."""
    await apply_parts(attempt, await wait_until_quiet(attempt, await attempt.gathered()))


class TestWaiting:
    @pytest.mark.parametrize("refused", [False, True])
    async def test_the_project_is_opened_meanwhile_unless_what_came_first_is_refused(
        self, job_queue: JobQueue, clock: HandClock, refused: bool
    ) -> None:
        said = LocalizedMessage("upload.no_kind")
        first = arrival(1, album="a", has_file=not refused, refusal=said if refused else None)
        await accept(job_queue, first, arrival(2, album="a"))
        attempt = await run_of(job_queue, clock)
        began_s = clock.monotonic_s()
        await passing(clock, Gather()(attempt), 0.1)
        assert (clock.monotonic_s() - began_s > 1.0) is refused

    async def test_it_ends_when_nothing_new_came_for_a_while(
        self, job_queue: JobQueue, clock: HandClock
    ) -> None:
        await accept(job_queue, ALBUM[0])
        attempt = await run_of(job_queue, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather_all(attempt), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(ALBUM_PAUSE_S, abs=0.2)

    async def test_each_part_extends_it_up_to_a_limit(self, job_queue: JobQueue, clock: HandClock) -> None:
        await accept(job_queue, arrival(1, album="a"))
        attempt = await run_of(job_queue, clock)
        numbers = itertools.count(2)
        slept = clock.sleep

        async def and_another(duration_s: float) -> None:
            await slept(duration_s)
            await accept(job_queue, arrival(next(numbers), album="a"))

        clock.sleep = and_another  # type: ignore[method-assign]
        began_s = clock.monotonic_s()
        await passing(clock, gather_all(attempt), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(LONGEST_S, abs=0.2)
        assert len(attempt.job.files) == next(numbers) - 1

    @pytest.mark.parametrize(
        ("first", "pause_s"),
        [(words(1, "a cat"), WORDS_PAUSE_S), (arrival(1, "cut it"), 0.0), (arrival(1), FILE_PAUSE_S)],
        ids=["words alone", "a file with words", "a file alone"],
    )
    async def test_what_is_whole_does_not_wait(
        self, job_queue: JobQueue, clock: HandClock, first: ArrivedPart, pause_s: float
    ) -> None:
        await accept(job_queue, first)
        attempt = await run_of(job_queue, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather_all(attempt), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(pause_s, abs=0.15)

    @pytest.mark.parametrize("by_s", [-3600.0, 3600.0], ids=["back", "forward"])
    async def test_a_wall_clock_that_is_set_meanwhile_makes_nobody_wait_for_it(
        self, job_queue: JobQueue, clock: HandClock, by_s: float
    ) -> None:
        await accept(job_queue, ALBUM[0])
        attempt = await run_of(job_queue, clock)
        clock.set_wall(by_s)
        began_s = clock.monotonic_s()
        await passing(clock, gather_all(attempt), 0.1)
        assert clock.monotonic_s() - began_s <= ALBUM_PAUSE_S + 0.2

    async def test_it_begins_anew_when_another_process_had_the_job(
        self, job_queue: JobQueue, clock: HandClock
    ) -> None:
        await accept(job_queue, *ALBUM)
        attempt = await run_of(job_queue, clock)
        await job_queue.park(attempt.claimed, "ticket")
        await clock.advance(60)  # For as long nobody read what came.
        attempt = await run_of(job_queue, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather_all(attempt), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(ALBUM_PAUSE_S, abs=0.2)

    async def test_what_was_closed_does_not_wait_again(self, job_queue: JobQueue, clock: HandClock) -> None:
        await accept(job_queue, *ALBUM)
        attempt = await run_of(job_queue, clock)
        assert await attempt.close((await attempt.gathered()).version)
        await job_queue.park(attempt.claimed, "ticket")
        await passing(clock, gather_all(await run_of(job_queue, clock)), 0.1)
        assert clock.slept == []

    async def test_what_stood_in_line_for_long_does_not_wait(
        self, job_queue: JobQueue, clock: HandClock
    ) -> None:
        await accept(job_queue, *ALBUM)
        await clock.advance(60)
        await gather_all(await run_of(job_queue, clock))
        assert clock.slept == []


class TestRefusals:
    TOO_LARGE = LocalizedMessage("error.file_too_large", {"limit": Bytes(5)})

    async def test_the_others_go_on(self, job_queue: JobQueue, clock: HandClock) -> None:
        bad = [arrival(n, album="a", has_file=False, refusal=self.TOO_LARGE) for n in (3, 4)]
        await accept(job_queue, ALBUM[0], ALBUM[1], *bad)
        responders = Responders()
        attempt = await run_of(job_queue, clock, responders)
        await passing(clock, gather_all(attempt))
        said = with_lines(self.TOO_LARGE, (continues_without(3, 4),))
        assert [message for _, _, message in responders.sent] == [said]
        assert len(attempt.job.files) == 2

    async def test_words_about_nothing_but_refused_files_are_not_asked(
        self, job_queue: JobQueue, clock: HandClock
    ) -> None:
        bad = arrival(2, is_forwarded=True, has_file=False, refusal=self.TOO_LARGE)
        await accept(job_queue, words(1, "merge"), bad)
        responders = Responders()
        attempt = await run_of(job_queue, clock, responders)
        with pytest.raises(JobEnded) as ended:
            await passing(clock, gather_all(attempt))
        assert ended.value.message is None
        way_on = Button("button.run_without_file", RunSaved(attempt.job.id))
        assert [message for _, _, message in responders.sent] == [replace(self.TOO_LARGE, buttons=(way_on,))]

    @pytest.mark.parametrize("has_others", [False, True])
    async def test_words_refused_with_a_link_are_offered_unless_they_run_all_the_same(
        self, job_queue: JobQueue, clock: HandClock, has_others: bool
    ) -> None:
        streamed = LocalizedMessage("link.streaming_site", {"site": "YouTube"})
        refusal = link_refusal(streamed, has_project=True)
        bad = words(2, "", kind="refused", refusal=refusal)
        await accept(job_queue, words(1, "merge"), bad, *[arrival(3)][:has_others])
        responders = Responders()
        attempt = await run_of(job_queue, clock, responders)
        with pytest.raises(JobEnded) if not has_others else nullcontext():
            await passing(clock, gather_all(attempt))
        offered = () if has_others else (RunSaved(attempt.job.id),)
        assert [tuple(one.action for one in message.buttons) for _, _, message in responders.sent] == [
            offered
        ]
        left_out = LocalizedMessage("link.left_out", {"site": "YouTube"})
        assert (responders.sent[0][2] == left_out) is has_others


async def test_a_message_number_means_another_message_once_the_group_has_moved(job_queue: JobQueue) -> None:
    old, new = -4711, -1_000_000_004_711
    await accept(job_queue, words(7, "asked before"), telegram_chat_id=old)
    await accept(job_queue, words(7, "asked after", sent_at=SENT_AT + 60), telegram_chat_id=new)
    found = [await job_queue.find_by_message(CHAT, chat_id, 7) for chat_id in (old, new)]
    assert [one.job.prompt for one in found if one] == ["asked before", "asked after"]
    edit = arrival(7, "changed", kind="edited", has_file=False)
    await accept(job_queue, edit, telegram_chat_id=new)
    assert await jobs(job_queue) == [("asked before", []), ("changed", [])]
