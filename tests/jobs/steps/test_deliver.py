import asyncio
from collections.abc import Mapping
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import KeepExtras, ShowMore
from bot.jobs.checkpoints import AgentAnswered, Exported, PendingAnswer
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.queue.claimed_job import ClaimedJob, SaveOutcome
from bot.jobs.steps.deliver import ReplacingResult
from bot.jobs.steps.export import CachedResultUnusable
from bot.runtime.arriving_file import ArrivingFile
from bot.runtime.tasks import cancel
from tests.jobs.steps.conftest import Rig, a_draft, again, queue_of

KEEP = Button("button.keep", KeepExtras("0123456789abcdef"))
SENT_BEFORE = Exported(digest="of a draft", file_id="sent before")


async def deliver(rig: Rig, *saved: Exported) -> None:
    await rig.deliver(rig.attempt(rig.job(kind=JobKind.EXPORT), *saved))


async def test_without_a_result_nothing_is_sent(rig: Rig) -> None:
    await deliver(rig)
    assert rig.responder.delivered == []


async def test_a_fetched_result_is_sent_and_remembered(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.result_path.write_bytes(b"mp4")
    exported = Exported(digest="of a draft", is_fetched=True, size_bytes=3)
    attempt = rig.attempt(
        rig.job(kind=JobKind.EXPORT),
        exported,
        PendingAnswer(message=AgentMessage("I cut it.", buttons=(KEEP,))),
    )
    await rig.deliver(attempt)
    assert attempt.load(PendingAnswer) is None  # Otherwise the job's end would send it once more.
    ((idempotency_key, result),) = rig.responder.delivered
    assert result.answer == AgentMessage("I cut it.", buttons=(KEEP,))
    assert (result.buttons[0], result.buttons[-1].action) == (KEEP, ShowMore(attempt.job.id))
    assert (idempotency_key, result.path, result.exported.size_bytes) == (
        "delivered",
        rig.responder.result_path,
        3,
    )
    job = rig.job()
    cached = await rig.projects.chats.find_result(job.chat, "of a draft", as_file=False)
    assert cached is not None
    assert cached.file_id == "file of the result"


async def test_of_a_result_that_went_as_a_link_no_file_is_remembered(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await deliver(rig, Exported(digest="of a draft", link="https://media.example/a.mp4"))
    assert await rig.projects.chats.find_result(rig.job().chat, "of a draft", as_file=False) is None


async def test_a_result_that_is_not_on_this_machine_is_made_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await deliver(rig, Exported(digest="of a draft", is_fetched=True, size_bytes=3))
    ((_, result),) = rig.responder.delivered
    assert result.path == rig.responder.result_path
    assert result.path.exists()


async def test_a_result_that_is_on_its_way_is_sent_as_it_comes(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    arriving = ArrivingFile(rig.responder.result_path.with_suffix(".part"), rig.responder.result_path, 3)

    async def fetch_rest() -> int:
        arriving.add(3)
        arriving.end()
        for _ in range(30):  # Longer than what the step itself reads and writes after the send.
            await rig.projects.chats.brands.load(attempt.job.chat)
        arriving.whole_path.write_bytes(b"mp4")
        return 3

    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT), Exported(digest="of a draft", is_fetched=True))
    attempt.arriving, attempt.fetching = arriving, asyncio.create_task(fetch_rest())
    await rig.deliver(attempt)
    assert [result.arriving for _, result in rig.responder.delivered] == [arriving]
    assert attempt.fetching.done()
    assert await rig.nemo.renders() == []


async def test_a_result_whose_rest_does_not_come_is_fetched_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.can_stream_upload = True
    await rig.nemo.set(render_bytes=6_000_000)
    await rig.nemo.fault("media", cut_after_bytes=3_000_000)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    assert attempt.arriving is not None
    await rig.deliver(attempt)
    ((_, result),) = rig.responder.delivered
    assert result.arriving is None
    assert rig.responder.result_path.stat().st_size == 6_000_000
    assert len(await rig.nemo.renders()) == 1
    await cancel(attempt.fetching)  # As the worker does, which also retrieves the task's error.


async def test_a_result_that_telegram_no_longer_has_is_made_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.gone_file_ids = {"sent before"}
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT), SENT_BEFORE)
    await rig.deliver(attempt)
    assert attempt.load(CachedResultUnusable) is not None
    assert [idempotency_key for idempotency_key, _ in rig.responder.delivered] == ["delivered_anew"]


async def test_a_result_made_again_whose_rest_does_not_come_is_fetched_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.gone_file_ids = {"sent before"}
    rig.responder.can_stream_upload = True
    await rig.nemo.set(render_bytes=6_000_000)
    await rig.nemo.fault("media", cut_after_bytes=3_000_000)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT), SENT_BEFORE)
    await rig.deliver(attempt)
    ((_, result),) = rig.responder.delivered
    assert result.arriving is None
    assert rig.responder.result_path.stat().st_size == 6_000_000
    assert len(await rig.nemo.renders()) == 1
    await cancel(attempt.fetching)


@pytest.mark.parametrize("replaces", [True, False])
async def test_the_earlier_result_is_replaced_once_if_the_chat_wants_that(rig: Rig, replaces: bool) -> None:
    chat = await rig.open_project(a_draft(0))
    chats = rig.projects.chats
    await chats.update(chat.key, ChatFields(replace_results=replaces))
    await chats.save_latest_result(chat, 4711, 5)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT), SENT_BEFORE)
    await rig.deliver(attempt)
    await rig.deliver(again(attempt))
    assert rig.responder.deleted == ([(4711, 5, False)] if replaces else [])
    later = again(attempt)
    await later.save(PendingAnswer(message=LocalizedMessage("export.nothing_yet")))
    await rig.deliver(later)
    assert later.load(PendingAnswer) is None
    assert attempt.load(ReplacingResult) == (ReplacingResult(message_id=77) if replaces else None)
    assert (await chats.get(chat.key)).is_latest_result(4711, 77)


async def test_a_result_of_another_project_stays(rig: Rig) -> None:
    chat = await rig.open_project(a_draft(0))
    chats = rig.projects.chats
    await chats.save_latest_result(chat, 4711, 5)
    await chats.update(chat.key, ChatFields(replace_results=True, result_session_id="another"))
    await deliver(rig, SENT_BEFORE)
    assert rig.responder.deleted == []


async def test_an_earlier_result_that_somebody_answers_to_meanwhile_stays(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await rig.open_project(a_draft(0))
    chats = rig.projects.chats
    await chats.update(chat.key, ChatFields(replace_results=True))
    await chats.save_latest_result(chat, 4711, 5)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT), SENT_BEFORE)
    save = queue_of(attempt).save

    async def saving(claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        if ReplacingResult.name in values:
            await chats.update(chat.key, ChatFields(result_in_use=True))
        return await save(claimed, values)

    monkeypatch.setattr(queue_of(attempt), "save", saving)
    await rig.deliver(attempt)
    assert rig.responder.deleted == [(4711, 5, True)]


@pytest.mark.parametrize(("chat_id", "is_linked"), [(1, True), (-1001, False)])
async def test_a_result_in_a_group_lets_nobody_take_the_project_over(
    rig: Rig, chat_id: int, is_linked: bool
) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT, chat=ChatKey(chat_id)), SENT_BEFORE)
    await rig.projects.open(attempt.job)
    await rig.deliver(attempt)
    ((_, result),) = rig.responder.delivered
    assert (bool(result.browser_link), result.project_link) == (is_linked, "")


@pytest.mark.parametrize(("is_first", "is_edit"), [(True, True), (False, True), (True, False)])
async def test_only_an_edit_at_its_first_attempt_teaches_how_long_requests_take(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, is_first: bool, is_edit: bool
) -> None:
    await rig.open_project(a_draft(0))
    learn = AsyncMock()
    monkeypatch.setattr(rig.usual_times, "learn", learn)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await attempt.save(SENT_BEFORE)
    if is_edit:
        await attempt.save(AgentAnswered())
    await rig.deliver(attempt if is_first else again(attempt))
    assert learn.await_count == (is_first and is_edit)
