import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import chain, count, repeat
from typing import Any

import pytest
from redis.exceptions import ConnectionError as StoreAway

from bot.chats.key import ChatKey
from bot.jobs.buttons import Export
from bot.jobs.checkpoints import PROGRESS_MESSAGE, MessageSend
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Progress
from bot.sandbox.botapi.client import ChatHandle, Person, Seen
from bot.telegram.sending.responder import TelegramResponder
from tests.clocks import PATIENCE_S, passing, settle
from tests.telegram.conftest import PROGRESS_EDIT_S, Notebook, Telegram

HOSTILE = "</i><b>&amp;\x00 <a href='tg://user?id=1'>\u202ereversed 🎬" * 60


@pytest.fixture
async def ada(telegram: Telegram) -> Person:
    person = await telegram.people.person()
    await person.start()
    return person


@contextlib.asynccontextmanager
async def progress_message(
    telegram: Telegram,
    ada: Person,
    checkpoints: Notebook | None = None,
    languages: Iterator[str | None] | None = None,
) -> AsyncIterator[TelegramResponder]:
    responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints, languages)
    try:
        yield responder
    finally:
        await responder.close()


async def the_message(chat: ChatHandle) -> Seen:
    (message,) = [seen for seen in await chat.messages() if seen.json["from"]["is_bot"]]
    return message


async def edits(telegram: Telegram) -> int:
    return len(await telegram.people.calls("editMessageText"))


async def moved(telegram: Telegram, duration_s: float, step_s: float = 0.5) -> None:
    """Let time pass in steps, each with what it causes on the network: no edit waits for the clock."""
    for _ in range(round(duration_s / step_s)):
        await telegram.clock.advance(step_s)
        await telegram.clock.asleep()


async def test_it_says_where_the_job_stands_with_a_way_out(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(
            Progress("progress.upload_sized", {"done": Bytes(1024**2), "total": Bytes(4 * 1024**2)}, 0.25)
        )
        await responder.show_progress()
        message = await the_message(ada.chat)
        assert "1 MB" in message.text
        assert "▰▰▰▱" in message.text
        assert "25%" in message.text
        assert len(message.buttons) == 1
        assert "reply_to_message" not in message.json  # Nothing came in between.


async def test_it_stays_below_what_comes_meanwhile(telegram: Telegram, ada: Person) -> None:
    checkpoints = Notebook()
    async with progress_message(telegram, ada, checkpoints) as responder:
        await responder.show_progress()
        first = await the_message(ada.chat)
        request = await ada.say("and this?")
        await telegram.sent.record(ada.chat.id, request.id, ChatKey(ada.chat.id))
        responder.report_progress(Progress("progress.render"))
        await moved(telegram, 10)
        latest = await the_message(ada.chat)
        assert latest.id > request.id > first.id
        await responder.finish_progress(None)
    assert [seen for seen in await ada.chat.messages() if seen.json["from"]["is_bot"]] == []
    assert len(await telegram.people.calls("sendMessage")) == 2


@pytest.mark.parametrize("dies_at", ["progress_moved", "message:progress"])
async def test_a_move_that_was_cut_off_leaves_one_message(
    telegram: Telegram, ada: Person, dies_at: str
) -> None:
    checkpoints = Notebook()
    async with progress_message(telegram, ada, checkpoints) as responder:
        await responder.show_progress()
        request = await ada.say("and this?")
        await telegram.sent.record(ada.chat.id, request.id, ChatKey(ada.chat.id))

        died = asyncio.Event()

        def dies(name: str, value: Any) -> bool:
            # Right after the message is sent again, or right before it is forgotten where it was.
            if name == dies_at and (value is None or bool(value.get("sent"))):
                died.set()
            return died.is_set()

        checkpoints.dies_at = dies
        responder.report_progress(Progress("progress.render"))
        async with asyncio.timeout(PATIENCE_S):
            while not died.is_set():
                await telegram.clock.advance(0.5)
                await settle()
    checkpoints.dies_at = None
    async with progress_message(telegram, ada, checkpoints) as responder:
        await passing(telegram.clock, responder.show_progress())
        await moved(telegram, 10)
        assert (await the_message(ada.chat)).id > request.id
        await responder.finish_progress(None)
    assert [seen for seen in await ada.chat.messages() if seen.json["from"]["is_bot"]] == []


async def test_edits_coalesce_to_the_newest_and_keep_their_distance(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        for number in range(200):
            responder.report_progress(
                Progress("progress.turn", fraction=number / 400, preview=partial(str, f"word {number}"))
            )
            if number % 20 == 0:
                await moved(telegram, 0.5)
        await moved(telegram, PROGRESS_EDIT_S * 2)
        assert "word 199" in (await the_message(ada.chat)).text
        assert 1 <= await edits(telegram) <= (5 + PROGRESS_EDIT_S * 2) / PROGRESS_EDIT_S + 1


async def test_it_goes_on_where_the_store_does_not_tell_the_language(telegram: Telegram, ada: Person) -> None:
    def fail(_: int) -> None:
        raise StoreAway

    failing = chain([None], map(fail, count()))
    async with progress_message(telegram, ada, languages=failing) as responder:
        await responder.show_progress()
        responder.report_progress(Progress("progress.turn", fraction=0.5))
        await moved(telegram, PROGRESS_EDIT_S)
        assert "50%" in (await the_message(ada.chat)).text


async def test_it_says_which_part_of_a_job_is_being_made(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        whole = responder.result_path
        responder.report_progress(Progress("progress.turn", fraction=0.1, preview=lambda: "of before"))
        responder.begin_variation(2, 3, LocalizedMessage("variations.upbeat"))
        responder.report_progress(Progress("progress.turn", fraction=0.5))
        assert responder.result_path != whole
        await responder.show_progress()
        text = (await the_message(ada.chat)).text
        assert text.startswith("Version 2 of 3: upbeat music")
        assert "50%" in text  # A half of the second third.
        assert "of before" not in text
        responder.end_variation()
        assert responder.result_path == whole
        for path in (whole, whole.with_stem(f"{whole.stem}-2"), whole.with_stem(f"{whole.stem}-2-small")):
            path.touch()
        await responder.discard_result()
        assert not list(whole.parent.iterdir())


async def test_the_same_text_is_not_sent(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("progress.queued", {"position": 3}))
        await responder.show_progress()
        for _ in range(5):
            responder.report_progress(Progress("progress.queued", {"position": 3}))
            await moved(telegram, 4)
        assert await edits(telegram) == 0


async def test_the_bar_moves_on_by_itself_and_never_to_the_end(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("progress.render", fraction=0.2, until=1.0, expected_s=30))
        await responder.show_progress()
        seen = []
        for _ in range(8):
            await moved(telegram, 20, 5)
            text = (await the_message(ada.chat)).text
            seen.append(int(text.partition("%")[0].split()[-1]))
        assert seen == sorted(seen)
        assert seen[0] > 20
        assert seen[-1] < 100


async def test_it_says_that_work_goes_on_every_two_minutes_whatever_the_stages(
    telegram: Telegram, ada: Person
) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("progress.turn", fraction=0.3))
        await responder.show_progress()
        await moved(telegram, 100, 5)
        assert "Still working" not in (await the_message(ada.chat)).text
        responder.report_progress(Progress("progress.turn", fraction=0.4, expected_s=30))
        await moved(telegram, 40, 5)
        assert "⏳ Still working, 2 min so far" in (await the_message(ada.chat)).text
        responder.report_progress(Progress("progress.render", fraction=0.6))
        await moved(telegram, 60, 5)
        assert "2 min so far" in (await the_message(ada.chat)).text
        await moved(telegram, 60, 5)
        assert "4 min so far" in (await the_message(ada.chat)).text


async def test_edits_thin_out_with_age(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("progress.turn", fraction=0.3))
        await responder.show_progress()
        counts = []
        for _ in range(3):
            before = await edits(telegram)
            await moved(telegram, 60, 5)
            counts.append(await edits(telegram) - before)
            await moved(telegram, 240, 20)
        assert counts[0] > max(counts[1:])
        assert min(counts[1:]) > 0


async def test_a_deleted_live_message_stops_nothing(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        await ada.delete(await the_message(ada.chat))
        responder.report_progress(Progress("progress.turn", fraction=0.5))
        await moved(telegram, 10)
        await responder.send("answer", LocalizedMessage("job.cancelled"))
        await responder.finish_progress(None)
    assert len(await ada.chat.messages(from_bots=True)) == 1


async def test_what_an_agent_writes_is_shown_as_it_is_and_bounded(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("progress.turn", fraction=0.5, preview=lambda: HOSTILE))
        await responder.show_progress()
        message = await the_message(ada.chat)
        assert len(message.text) < 1000
        assert "</i><b>&amp;" in message.text
        assert {entity["type"] for entity in message.json.get("entities", [])} <= {"italic", "url"}


async def test_it_is_taken_away_at_the_end(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        await responder.finish_progress(None)
        before = len(await telegram.people.calls())
        responder.report_progress(Progress("progress.turn", fraction=0.9))
        await telegram.clock.advance(60)
        assert len(await telegram.people.calls()) == before
    assert await ada.chat.messages(from_bots=True) == []


@pytest.mark.parametrize("closing", [None, LocalizedMessage("progress.cancelled")])
async def test_nothing_of_the_supergroup_is_touched_by_the_number_that_it_had_in_the_group(
    telegram: Telegram, closing: LocalizedMessage | None
) -> None:
    ada = await telegram.people.person("Ada", started=True)
    group = await telegram.people.new_chat("group", "Club", ada, bot="administrator")
    checkpoints = Notebook()
    responder = telegram.responder(telegram.job(group.id), checkpoints)
    await responder.show_progress()
    await responder.close()
    supergroup = await group.migrate(ada)
    await telegram.telegram_ids.record_migration(group.id, supergroup.id)
    send = checkpoints.load(MessageSend, PROGRESS_MESSAGE)
    assert send is not None
    assert send.sent is not None
    while (await ada.say("mine", supergroup)).id < send.sent.message_id:
        pass
    before = [(seen.id, seen.text) for seen in await supergroup.messages()]
    await passing(telegram.clock, responder.finish_progress(closing))
    assert [(seen.id, seen.text) for seen in await supergroup.messages()] == before
    assert await telegram.people.calls("deleteMessage", "editMessageText") == []


async def test_or_leaves_its_last_words_without_buttons(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        await responder.finish_progress(LocalizedMessage("progress.cancelled"))
    message = await the_message(ada.chat)
    assert message.text == "✖ Cancelled"
    assert message.buttons == []


async def test_or_its_last_words_with_their_own_buttons(telegram: Telegram, ada: Person) -> None:
    kept = LocalizedMessage("progress.cancelled_kept", buttons=(Button("button.export", Export()),))
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        await responder.finish_progress(kept)
    assert (await the_message(ada.chat)).buttons == ["🎬 Export"]


async def test_the_end_of_one_that_never_was_is_nothing(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.finish_progress(None)
    assert await telegram.people.calls("deleteMessage") == []


@pytest.mark.parametrize(("chosen", "ready"), [(None, "Your project is ready ✨"), ("zh", "项目准备好了 ✨")])
async def test_a_short_stage_is_seen_in_the_language_that_was_just_chosen(
    telegram: Telegram, ada: Person, chosen: str | None, ready: str
) -> None:
    async with progress_message(telegram, ada, languages=chain([None], repeat(chosen))) as responder:
        responder.report_progress(Progress("setup.working"))
        await responder.show_progress()
        responder.report_progress(Progress("setup.ready", fraction=0.05))
        await responder.flush_progress()
        assert [version["text"].split("\n")[0] for version in (await the_message(ada.chat)).versions] == [
            "Setting things up…",
            ready,
        ]


async def test_a_second_attempt_goes_on_with_the_same_message(telegram: Telegram, ada: Person) -> None:
    checkpoints = Notebook()
    async with progress_message(telegram, ada, checkpoints) as responder:
        responder.report_progress(Progress("progress.upload", fraction=0.05))
        await responder.show_progress()
    async with progress_message(telegram, ada, checkpoints) as responder:
        responder.report_progress(Progress("progress.render", fraction=0.7))
        await responder.show_progress()
        await moved(telegram, 4)
        assert "Exporting" in (await the_message(ada.chat)).text


async def test_a_pause_of_telegrams_holds_up_nothing_but_the_edits(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        await responder.show_progress()
        await telegram.people.faults.error(
            "editMessageText", code=429, description="Too Many Requests: retry after 30", retry_after=30
        )
        responder.report_progress(Progress("progress.turn", fraction=0.5))
        await moved(telegram, 4)
        responder.report_progress(Progress("progress.render", fraction=0.7))
        await settle()
        await passing(telegram.clock, responder.finish_progress(None))
    assert await ada.chat.messages(from_bots=True) == []


async def test_a_job_does_not_wait_long_for_its_first_sign(telegram: Telegram, ada: Person) -> None:
    await telegram.telegram_calls.rate_limiter.pause(ada.chat.id, 30)
    notebook = Notebook()
    async with progress_message(telegram, ada, notebook) as responder:
        responder.report_progress(Progress("progress.turn", fraction=0.1))
        await passing(telegram.clock, responder.show_progress())
        assert telegram.clock.monotonic_s() - 1000 < 5
        assert notebook.kept == {}, "nothing to look for: nothing is on its way"

        responder.report_progress(Progress("progress.render", fraction=0.9))
        waited = asyncio.create_task(ada.chat.wait())
        await passing(telegram.clock, waited_for(waited))
        assert "Exporting" in (await the_message(ada.chat)).text, "what is true by then, not what was"
        await responder.finish_progress(None)
        assert [seen for seen in await ada.chat.messages(from_bots=True) if seen.deleted_at is None] == []


async def waited_for(task: asyncio.Task[Seen]) -> None:
    await task


async def test_a_first_sign_that_never_had_its_turn_is_not_sent_after_the_answer(
    telegram: Telegram, ada: Person
) -> None:
    await telegram.telegram_calls.rate_limiter.pause(ada.chat.id, 30)
    async with progress_message(telegram, ada) as responder:
        await passing(telegram.clock, responder.show_progress())
        await responder.finish_progress(None)
        await telegram.clock.advance(60)
        assert await telegram.people.calls("sendMessage") == []


@pytest.mark.parametrize("is_moved", [False, True])
async def test_a_job_goes_on_without_one_that_telegram_refuses(telegram: Telegram, is_moved: bool) -> None:
    ada = await telegram.people.person("Ada", started=True)
    group = await telegram.people.new_chat("group", "Club", ada)
    stored_id = group.id
    responder = telegram.responder(telegram.job(stored_id))
    if is_moved:
        await responder.show_progress()
        group = await group.migrate(ada)
        await telegram.telegram_ids.record_migration(stored_id, group.id)
    await telegram.people.faults.error("sendMessage", code=400, description="Bad Request: no luck", times=2)

    await responder.show_progress()
    responder.report_progress(Progress("progress.turn"))
    if is_moved:
        await moved(telegram, PROGRESS_EDIT_S * 3)
    await responder.flush_progress()
    assert not await group.messages(from_bots=True)

    await responder.send("said", LocalizedMessage("job.nothing_to_cancel"))
    await responder.finish_progress(None)
    await responder.close()
    assert len(await group.messages(from_bots=True)) == 1


async def test_ready_can_be_read_above_the_stages_that_follow(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("setup.ready", link="https://example.com/", readable_s=5))
        await responder.show_progress()
        responder.report_progress(Progress("progress.render", fraction=0.6))
        await moved(telegram, PROGRESS_EDIT_S + 0.5)
        assert (await the_message(ada.chat)).text.startswith("Your project is ready ✨\nExporting")
        await moved(telegram, 10)
        assert (await the_message(ada.chat)).text.startswith("Exporting")
        await responder.finish_progress(None)
    assert await ada.chat.messages(from_bots=True) == []


async def test_ready_stays_until_it_was_read_also_where_the_job_ends_sooner(
    telegram: Telegram, ada: Person
) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("setup.ready", readable_s=5, outlasts_job=True))
        await responder.show_progress()
        finishing = asyncio.create_task(responder.finish_progress(None))
        await moved(telegram, 4.5)
        assert (await the_message(ada.chat)).text.startswith("Your project is ready ✨")
        await telegram.clock.advance(1)
        await finishing
    assert await ada.chat.messages(from_bots=True) == []


async def test_news_of_a_stage_does_not_keep_a_job_that_has_ended(telegram: Telegram, ada: Person) -> None:
    async with progress_message(telegram, ada) as responder:
        responder.report_progress(Progress("answer.raw_ready", readable_s=60))
        await responder.show_progress()
        await responder.finish_progress(None)
    assert await ada.chat.messages(from_bots=True) == []
