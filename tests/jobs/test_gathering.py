"""What belongs together becomes one job, in whatever order and however late its parts come."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.jobs.gathering import ALBUM_PAUSE_S, FILE_PAUSE_S, LONGEST_S, Arrival, How, Part, PartWords
from bot.jobs.job import FileRef, Job, Kind, Lane
from bot.jobs.lanes import Closed, LaneFull, Lanes, Taken
from bot.jobs.ports import Bytes, Notice
from bot.jobs.runner import Ended, Run
from bot.jobs.steps.together import gather
from tests.clocks import HandClock, passing
from tests.jobs.conftest import CHAT, Teller, new_job
from tests.jobs.test_lanes import everything, take

SENT_AT = 1_780_000_000

_updates = itertools.count(1)


def file(number: int) -> FileRef:
    return FileRef(f"file {number}", "video", f"{number}.mp4", 100, "video/mp4")


def arrival(
    number: int,
    text: str = "",
    *,
    how: How = "asked",
    of_album: str = "",
    has_file: bool = True,
    **fields: Any,
) -> Arrival:
    given: dict[str, Any] = {"sent_at": SENT_AT, "files": (file(number),) if has_file else ()}
    return Arrival(Part(number, **given | fields), PartWords(text), how, of_album)


def words(number: int, text: str, **fields: Any) -> Arrival:
    return arrival(number, text, has_file=False, **fields)


def wish(**fields: Any) -> Job:
    return new_job(text="", **fields)


async def accept(lanes: Lanes, *arrivals: Arrival, **fields: Any) -> None:
    for one in arrivals:
        await lanes.accept([wish(message_id=one.part.message_id, **fields)], next(_updates), one)


async def jobs(lanes: Lanes) -> list[tuple[str, list[str]]]:
    """The wishes that wait, with the names of their files."""
    found = [await lanes.find(CHAT, job_id) for job_id in await lanes.current(CHAT, Lane.EDIT)]
    return [(one.job.text, [ref.name for ref in one.job.files]) for one in found if one]


async def run_of(lanes: Lanes, clock: HandClock, teller: Teller | None = None) -> Run:
    taken = await take(lanes, "ticket")
    run = Run(taken, lanes, clock)
    run.front = (teller or Teller()).open(taken.job, run)
    return run


ALBUM = [arrival(1, album="a"), arrival(2, "add these", album="a"), arrival(3, album="a")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_an_album_is_one_job_in_whatever_order_it_comes(lanes: Lanes, order: Sequence[int]) -> None:
    await accept(lanes, *[ALBUM[place] for place in order])
    assert await jobs(lanes) == [("add these", ["1.mp4", "2.mp4", "3.mp4"])]


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
            id="whose captions are not the wish",
        ),
        pytest.param(
            [arrival(1, "theirs", is_forwarded=True), arrival(2, is_forwarded=True)],
            [("theirs", ["1.mp4", "2.mp4"])],
            id="but are where there is no other",
        ),
        pytest.param([arrival(1), words(2, "cut it")], [("cut it", ["1.mp4"])], id="a file, then words"),
        pytest.param([words(1, "cut it"), arrival(2)], [("cut it", ["2.mp4"])], id="words, then a file"),
        pytest.param(
            [words(1, "make a film of this"), words(2, "Once upon a time", is_forwarded=True)],
            [("make a film of this\n\nOnce upon a time", [])],
            id="a comment on a forwarded text",
        ),
        pytest.param(
            [words(1, "merge"), arrival(2, album="a"), arrival(3, album="a"), arrival(4, album="b")],
            [("merge", ["2.mp4", "3.mp4", "4.mp4"])],
            id="a comment on albums",
        ),
        pytest.param([words(1, "one"), words(2, "two")], [("one", []), ("two", [])], id="two wishes"),
        pytest.param(
            [arrival(1, "one"), arrival(2, "two")],
            [("one", ["1.mp4"]), ("two", ["2.mp4"])],
            id="two files with a wish each",
        ),
        pytest.param(
            [words(1, "one"), arrival(2, sent_at=SENT_AT + 2)],
            [("one", []), ("", ["2.mp4"])],
            id="words, and later a file",
        ),
    ],
)
async def test_what_belongs_together(
    lanes: Lanes, arrivals: list[Arrival], expected: list[tuple[str, list[str]]]
) -> None:
    await accept(lanes, *arrivals)
    assert await jobs(lanes) == expected


async def test_what_others_send_meanwhile_is_their_own(lanes: Lanes) -> None:
    await accept(lanes, words(1, "mine"), owner_id=5)
    await accept(lanes, arrival(2), owner_id=6)
    assert await jobs(lanes) == [("mine", []), ("", ["2.mp4"])]


async def test_a_repeated_update_adds_nothing(lanes: Lanes, redis: Redis) -> None:
    await lanes.accept([wish()], 7, ALBUM[0])
    await lanes.accept([wish()], 8, ALBUM[1])
    before = await everything(redis)
    assert not await lanes.accept([wish()], 8, ALBUM[1])
    assert await everything(redis) == before


async def test_in_a_full_lane_a_part_still_joins_and_a_new_wish_does_not(lanes: Lanes) -> None:
    await accept(lanes, *[words(number, f"wish {number}", sent_at=number * 10) for number in range(1, 5)])
    await accept(lanes, ALBUM[0])
    await accept(lanes, ALBUM[1])
    with pytest.raises(LaneFull):
        await accept(lanes, arrival(9, sent_at=SENT_AT + 60))
    assert (await jobs(lanes))[-1] == ("add these", ["1.mp4", "2.mp4"])


class TestGroups:
    async def test_parts_that_came_before_the_one_that_asks_belong_to_it(self, lanes: Lanes) -> None:
        await accept(lanes, arrival(1, album="a", how="beside"), arrival(2, "merge", album="a"))
        await accept(lanes, arrival(3, album="a", how="beside"))
        assert await jobs(lanes) == [("merge", ["1.mp4", "2.mp4", "3.mp4"])]

    async def test_an_album_that_asks_for_nothing_is_no_job(self, lanes: Lanes) -> None:
        await accept(lanes, arrival(1, album="a", how="beside"), arrival(2, album="a", how="beside"))
        assert await jobs(lanes) == []

    async def test_an_answer_to_an_album_takes_all_of_it_that_was_seen(self, lanes: Lanes) -> None:
        await accept(lanes, *[arrival(number, album="a", how="beside") for number in (1, 2, 3)])
        answer = Arrival(Part(9, SENT_AT + 500), PartWords("merge"), of_album="a", answered=arrival(2).part)
        await accept(lanes, answer, owner_id=77)
        assert await jobs(lanes) == [("merge", ["1.mp4", "2.mp4", "3.mp4"])]

    async def test_an_answer_to_an_album_that_was_not_seen_takes_what_it_answers(self, lanes: Lanes) -> None:
        await accept(lanes, Arrival(Part(9, SENT_AT), PartWords("merge"), "asked", "a", arrival(2).part))
        assert await jobs(lanes) == [("merge", ["2.mp4"])]


class TestClosing:
    async def test_a_job_that_was_closed_takes_no_more(self, lanes: Lanes) -> None:
        await accept(lanes, ALBUM[0])
        taken = await take(lanes, "a")
        version = (await lanes.gathered(taken.job)).version
        await accept(lanes, ALBUM[1])
        assert await lanes.close(taken, version) is Closed.CHANGED
        found = await lanes.gathered(taken.job)
        assert found.job.text == "add these"
        assert await lanes.close(taken, found.version) is Closed.OK
        assert await lanes.close(taken, found.version) is Closed.OK
        await accept(lanes, ALBUM[2])
        assert await jobs(lanes) == [("add these", ["1.mp4", "2.mp4"]), ("", ["3.mp4"])]

    async def test_an_earlier_attempt_can_not_close(self, lanes: Lanes) -> None:
        await accept(lanes, ALBUM[0])
        old = await take(lanes, "a")
        await take(lanes, "a")
        assert await lanes.close(old, (await lanes.gathered(old.job)).version) is Closed.SUPERSEDED

    async def test_late_parts_are_told_as_such_and_ask_nothing_twice(self, lanes: Lanes) -> None:
        await accept(lanes, ALBUM[1])
        await self._close(lanes)
        await accept(lanes, arrival(3, "me too", album="a"), arrival(4, album="a"))
        (late,) = [await lanes.find(CHAT, one) for one in (await lanes.current(CHAT, Lane.EDIT))[1:]]
        assert late is not None
        assert (late.job.text, [ref.name for ref in late.job.files]) == ("", ["3.mp4", "4.mp4"])
        assert late.job.data["late"] is True

    async def test_a_late_caption_is_the_wish_of_an_album_that_had_none(self, lanes: Lanes) -> None:
        await accept(lanes, ALBUM[0])
        await self._close(lanes)
        await accept(lanes, ALBUM[1])
        assert (await jobs(lanes))[1] == ("add these", ["2.mp4"])

    @staticmethod
    async def _close(lanes: Lanes) -> Taken:
        taken = await take(lanes, "a")
        await lanes.close(taken, (await lanes.gathered(taken.job)).version)
        return taken


class TestEdits:
    OFFER = "the offer"

    async def _edit(self, lanes: Lanes, number: int, text: str) -> None:
        offer = new_job(lane=Lane.ASK, kind=Kind.SAY, text=text)
        await lanes.accept([offer], next(_updates), words(number, text, how="edited"))

    async def test_the_words_of_a_waiting_wish_change(self, lanes: Lanes) -> None:
        await accept(lanes, *ALBUM)
        await self._edit(lanes, 2, "merge these")
        assert await jobs(lanes) == [("merge these", ["1.mp4", "2.mp4", "3.mp4"])]
        assert await lanes.current(CHAT, Lane.ASK) == []

    async def test_a_begun_wish_stays_and_the_offer_is_made_once(self, lanes: Lanes) -> None:
        await accept(lanes, words(1, "a cat"))
        await TestClosing._close(lanes)
        for text in ("a dog", "a dog"):
            await self._edit(lanes, 1, text)
        assert await jobs(lanes) == [("a cat", [])]
        assert len(await lanes.current(CHAT, Lane.ASK)) == 1

    async def test_what_changes_no_words_or_belongs_to_nothing_is_ignored(
        self, lanes: Lanes, redis: Redis
    ) -> None:
        await accept(lanes, words(1, "a cat"))
        before = {name: found for name, found in (await everything(redis)).items() if ":update:" not in name}
        await self._edit(lanes, 1, "a cat")
        await self._edit(lanes, 99, "a dog")
        after = {name: found for name, found in (await everything(redis)).items() if ":update:" not in name}
        assert after == before


class TestWaiting:
    async def test_it_ends_when_nothing_new_came_for_a_while(self, lanes: Lanes, clock: HandClock) -> None:
        await accept(lanes, ALBUM[0])
        run = await run_of(lanes, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather(run), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(ALBUM_PAUSE_S, abs=0.2)

    async def test_each_part_extends_it_up_to_a_limit(self, lanes: Lanes, clock: HandClock) -> None:
        await accept(lanes, arrival(1, album="a"))
        run = await run_of(lanes, clock)
        numbers = itertools.count(2)
        slept = clock.sleep

        async def and_another(duration_s: float) -> None:
            await slept(duration_s)
            await accept(lanes, arrival(next(numbers), album="a"))

        clock.sleep = and_another  # type: ignore[method-assign]
        began_s = clock.monotonic_s()
        await passing(clock, gather(run), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(LONGEST_S, abs=0.2)
        assert len(run.job.files) == next(numbers) - 1

    @pytest.mark.parametrize(
        ("first", "pause_s"),
        [(words(1, "a cat"), 0.0), (arrival(1, "cut it"), 0.0), (arrival(1), FILE_PAUSE_S)],
        ids=["words alone", "a file with words", "a file alone"],
    )
    async def test_what_is_whole_does_not_wait(
        self, lanes: Lanes, clock: HandClock, first: Arrival, pause_s: float
    ) -> None:
        await accept(lanes, first)
        run = await run_of(lanes, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather(run), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(pause_s, abs=0.15)

    @pytest.mark.parametrize("by_s", [-3600.0, 3600.0], ids=["back", "forward"])
    async def test_a_wall_clock_that_is_set_meanwhile_makes_nobody_wait_for_it(
        self, lanes: Lanes, clock: HandClock, by_s: float
    ) -> None:
        await accept(lanes, ALBUM[0])
        run = await run_of(lanes, clock)
        clock.set_wall(by_s)
        began_s = clock.monotonic_s()
        await passing(clock, gather(run), 0.1)
        assert clock.monotonic_s() - began_s <= ALBUM_PAUSE_S + 0.2

    async def test_it_begins_anew_when_another_process_had_the_job(
        self, lanes: Lanes, clock: HandClock
    ) -> None:
        await accept(lanes, *ALBUM)
        run = await run_of(lanes, clock)
        await lanes.park(run.taken, "ticket")
        await clock.advance(60)  # For as long nobody read what came.
        run = await run_of(lanes, clock)
        began_s = clock.monotonic_s()
        await passing(clock, gather(run), 0.1)
        assert clock.monotonic_s() - began_s == pytest.approx(ALBUM_PAUSE_S, abs=0.2)

    async def test_what_was_closed_does_not_wait_again(self, lanes: Lanes, clock: HandClock) -> None:
        await accept(lanes, *ALBUM)
        run = await run_of(lanes, clock)
        assert await run.close((await run.gathered()).version)
        await lanes.park(run.taken, "ticket")
        await passing(clock, gather(await run_of(lanes, clock)), 0.1)
        assert clock.slept == []

    async def test_what_stood_in_line_for_long_does_not_wait(self, lanes: Lanes, clock: HandClock) -> None:
        await accept(lanes, *ALBUM)
        await clock.advance(60)
        await gather(await run_of(lanes, clock))
        assert clock.slept == []


class TestRefusals:
    TOO_LARGE = Notice("error.file_too_large", {"limit": Bytes(5)})

    async def test_the_others_go_on(self, lanes: Lanes, clock: HandClock) -> None:
        bad = [arrival(n, album="a", has_file=False, refusal=self.TOO_LARGE) for n in (3, 4)]
        await accept(lanes, ALBUM[0], ALBUM[1], *bad)
        teller = Teller()
        run = await run_of(lanes, clock, teller)
        await passing(clock, gather(run))
        assert [message for _, _, message in teller.told] == [self.TOO_LARGE]
        assert len(run.job.files) == 2

    async def test_words_about_nothing_but_refused_files_are_not_asked(
        self, lanes: Lanes, clock: HandClock
    ) -> None:
        bad = arrival(2, is_forwarded=True, has_file=False, refusal=self.TOO_LARGE)
        await accept(lanes, words(1, "merge"), bad)
        teller = Teller()
        run = await run_of(lanes, clock, teller)
        with pytest.raises(Ended) as ended:
            await passing(clock, gather(run))
        assert ended.value.message is None
        assert [message for _, _, message in teller.told] == [self.TOO_LARGE]


async def test_a_message_number_means_another_message_once_the_group_has_moved(lanes: Lanes) -> None:
    old, new = -4711, -1_000_000_004_711
    await accept(lanes, words(7, "asked before"), address=old)
    await accept(lanes, words(7, "asked after", sent_at=SENT_AT + 60), address=new)
    found = [await lanes.asked_in(CHAT, address, 7) for address in (old, new)]
    assert [one.job.text for one in found if one] == ["asked before", "asked after"]
    edit = arrival(7, "changed", how="edited", has_file=False)
    await accept(lanes, edit, address=new)
    assert await jobs(lanes) == [("asked before", []), ("changed", [])]
