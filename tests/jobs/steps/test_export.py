import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from prometheus_client import REGISTRY

from bot.chats.chats import CachedResult, ChatFields
from bot.jobs.checkpoints import AgentAnswered, Exported, RenderStarted
from bot.jobs.messages import DoneFraction, LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.queue.usual_times import TimedStage
from bot.jobs.steps.export import SILENT_POLLS, CachedResultUnusable, Export, RenderLimits
from bot.jobs.worker.attempt import Interruption, JobEnded
from bot.nemo.answers import ProjectState
from bot.nemo.errors import Call, ServiceError, TransportError
from bot.nemo.failures import FailureKind
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import Credentials
from bot.runtime.tasks import cancel
from bot.store import keys
from tests.clocks import eventually
from tests.jobs.steps.conftest import Rig, a_draft, again
from tests.words.test_catalogues import texts


async def test_a_draft_is_rendered_and_fetched_once(rig: Rig) -> None:
    await rig.open_project(a_draft(0, 7))
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    await rig.export(again(attempt))
    exported = attempt.load(Exported)
    assert exported is not None
    assert exported.is_fetched
    assert rig.responder.result_path.stat().st_size == exported.size_bytes
    assert len(await rig.nemo.renders()) == 1


async def test_a_render_that_fails_for_the_plan_is_not_repeated(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.set(render_fails=-1, render_error="Upgrade your plan to export")
    job = rig.job(kind=JobKind.EXPORT)
    with pytest.raises(JobEnded) as ended:
        await rig.export(rig.attempt(job))
    assert "export_plan" in str(ended.value.message)
    refused_at = (await rig.projects.chats.get(job.chat)).export_refused_at
    assert refused_at is not None
    assert rig.clock.now() - refused_at < timedelta(minutes=1)
    assert len(await rig.nemo.renders()) == 1


async def test_a_large_result_can_be_sent_while_the_rest_of_it_is_fetched(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.can_stream_upload = True
    await rig.nemo.set(render_bytes=6_000_000)
    hold = await rig.nemo.hold("media", "answer_body", after_bytes=3_000_000)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))

    await rig.export(attempt)

    exported, arriving = attempt.load(Exported), attempt.arriving
    assert exported is not None
    assert arriving is not None
    assert attempt.fetching is not None
    assert exported.size_bytes == arriving.size_bytes == 6_000_000
    assert not rig.responder.result_path.exists()
    await rig.nemo.release(hold)
    assert await attempt.fetching == 6_000_000
    assert rig.responder.result_path.stat().st_size == 6_000_000


async def test_what_is_fetched_for_nobody_leaves_nothing(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    rig.responder.can_stream_upload = True
    await rig.nemo.set(render_bytes=6_000_000)
    hold = await rig.nemo.hold("media", "answer_body", after_bytes=3_000_000)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)

    await cancel(attempt.fetching)
    await rig.nemo.release(hold)

    assert list(rig.responder.result_path.parent.glob("*.part*")) == []


async def test_the_bar_follows_the_percentage_and_says_what_is_left(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.set(pace={"render_s": 100})
    await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    first, *rendering = [one for one in rig.responder.reported if one.stage == "progress.render"]
    assert first.expected_s == 60  # what the documents say
    assert all(one.estimates_s and one.until == DoneFraction.RENDERED for one in rendering)
    half = (DoneFraction.RENDERED + DoneFraction.CONNECTED) / 2
    late = [one.expected_s for one in rendering if one.fraction > half]
    assert late
    assert max(late) < 70
    assert late[-1] < max(late) / 2
    (took_s,) = await rig.usual_times.redis.lrange(keys.usual_times_key(TimedStage.RENDER), 0, -1)
    assert float(took_s) >= 100


async def test_the_wait_is_measured_in_its_three_parts(rig: Rig) -> None:
    def measured(part: str) -> float:
        return REGISTRY.get_sample_value("nemovideo_render_seconds_sum", {"part": part}) or 0.0

    await rig.open_project(a_draft(0))
    await rig.nemo.set(pace={"render_s": 100})
    before = {part: measured(part) for part in ("queue", "render", "download")}
    await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    took = {part: measured(part) - earlier for part, earlier in before.items()}
    assert 0 < took["queue"] < 30
    assert 60 < took["render"] < 120
    assert took["download"] > 0


async def test_a_render_of_an_attempt_that_died_is_found_by_its_id(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    first = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(first)
    started = first.load(RenderStarted)
    assert started is not None
    second = rig.attempt(rig.job(kind=JobKind.EXPORT), started)
    await rig.export(second)
    assert second.load(Exported) is not None
    assert len(await rig.nemo.renders()) == 1
    # Nobody knows how long the one that was found has taken.
    assert await rig.usual_times.redis.llen(keys.usual_times_key(TimedStage.RENDER)) == 1


async def test_the_id_of_a_render_is_saved_before_it_is_begun(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.open_project(a_draft(0))
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    saved: list[RenderStarted | None] = []

    async def start_render(*_: object) -> Render:
        saved.append(attempt.load(RenderStarted))
        raise asyncio.CancelledError  # as if the process ended here

    monkeypatch.setattr(rig.projects.nemo, "start_render", start_render)
    with pytest.raises(asyncio.CancelledError):
        await rig.export(attempt)
    assert None not in saved


async def test_the_second_render_of_an_attempt_that_died_is_found_and_not_begun_as_a_third(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    first = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(first)
    started = first.load(RenderStarted)
    assert started is not None
    second = rig.attempt(rig.job(kind=JobKind.EXPORT), started.model_copy(update={"number": 2}))
    await rig.export(second)
    assert second.load(RenderStarted) == started.model_copy(update={"number": 2})
    assert len(await rig.nemo.renders()) == 1


async def test_the_id_that_the_service_gives_a_render_is_kept(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.open_project(a_draft(0))
    nemo = rig.projects.nemo
    start, get, asked = nemo.start_render, nemo.get_render, list[str]()

    async def start_render(
        credentials: Credentials, render_id: str, session_id: str, raw_draft: object
    ) -> Render:
        asked.append(render_id)
        return replace(await start(credentials, render_id, session_id, raw_draft), render_id="renamed")

    async def get_render(credentials: Credentials, render_id: str) -> Render:
        return await get(credentials, asked[0] if render_id == "renamed" else "unknown")

    monkeypatch.setattr(nemo, "start_render", start_render)
    monkeypatch.setattr(nemo, "get_render", get_render)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    started = attempt.load(RenderStarted)
    assert started is not None
    assert started.render_id == "renamed"


async def test_an_export_that_works_forgets_that_the_plan_had_none(rig: Rig) -> None:
    chat = await rig.open_project(a_draft(0))
    await rig.projects.chats.update(chat.key, ChatFields(export_refused_at=rig.clock.now()))
    await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    assert (await rig.projects.chats.get(chat.key)).export_refused_at is None


async def test_a_render_that_takes_too_long_is_cancelled_and_not_begun_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.set(pace={"render_s": 2000})
    export = Export(rig.projects, RenderLimits(poll_s=1, total_s=30), rig.cards, rig.usual_times)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    with pytest.raises(JobEnded) as ended:
        await export(attempt)
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "export.failed_unknown"
    assert [render.status for render in await rig.nemo.renders()] == ["failed"]


async def polls_of(rig: Rig) -> int:
    return [request.endpoint for request in await rig.nemo.requests()].count("render-status")


async def test_the_time_of_a_render_counts_over_all_attempts(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.set(pace={"render_s": 2000})
    export = Export(rig.projects, RenderLimits(poll_s=1, total_s=30), rig.cards, rig.usual_times)
    first = rig.attempt(rig.job(kind=JobKind.EXPORT))
    exporting = asyncio.create_task(export(first))
    await eventually(lambda: rig.responder.stages.count("progress.render") > 1)
    exporting.cancel()
    await asyncio.gather(exporting, return_exceptions=True)
    started = first.load(RenderStarted)
    assert started is not None
    late = started.model_copy(update={"began_at": started.began_at - 30})
    polls = await polls_of(rig)
    with pytest.raises(JobEnded):
        await export(rig.attempt(rig.job(kind=JobKind.EXPORT), late))
    assert [render.status for render in await rig.nemo.renders()] == ["failed"]
    assert await polls_of(rig) == polls + 1


@pytest.mark.parametrize(
    ("reason", "is_cancelled"), [(Interruption.CANCELLED, True), (Interruption.DRAINED, False)]
)
async def test_only_a_cancelled_job_cancels_its_render(
    rig: Rig, reason: Interruption, is_cancelled: bool
) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.set(pace={"render_s": 2000})
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    exporting = asyncio.create_task(rig.export(attempt))
    await eventually(lambda: rig.responder.stages.count("progress.render") > 1)  # It was looked at.
    attempt.interruption = reason
    exporting.cancel()
    await asyncio.gather(exporting, return_exceptions=True)
    (render,) = await rig.nemo.renders()
    assert (render.status == "failed") is is_cancelled


async def test_the_id_of_a_render_holds_the_time(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    before_ms = int(rig.clock.now().timestamp() * 1000)
    await rig.export(attempt)
    started = attempt.load(RenderStarted)
    assert started is not None
    matched = re.fullmatch(r"render_(\d{13})_[0-9a-f]{16}", started.render_id)
    assert matched is not None
    assert before_ms <= int(matched[1]) <= rig.clock.now().timestamp() * 1000 + 1


async def test_an_empty_project_says_how_to_begin(rig: Rig) -> None:
    await rig.open_project()
    with pytest.raises(JobEnded) as ended:
        await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert (ended.value.message.key, ended.value.state) == ("export.nothing_yet", JobState.DONE)


@pytest.mark.parametrize(("after", "wanted"), [(a_draft(0), False), (a_draft(0, 7), True)])
async def test_an_edit_is_exported_if_the_agent_changed_something(
    rig: Rig, after: object, wanted: bool
) -> None:
    await rig.open_project(a_draft(0, 7))
    answered = AgentAnswered(text="Hm.", has_changed=after != a_draft(0))
    attempt = rig.attempt(rig.job(), answered)
    await rig.export(attempt)
    assert (attempt.load(Exported) is not None) is wanted


async def test_a_draft_that_was_delivered_before_is_not_rendered_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    job = rig.job(kind=JobKind.EXPORT)
    draft = await rig.projects.call(job, lambda p: rig.projects.nemo.get_state(p.credentials, p.session_id))
    assert draft.draft is not None
    delivered = CachedResult(draft_digest=draft.draft.digest(), file_id="delivered before", kind="video")
    await rig.projects.chats.save_result(job.chat, delivered)
    attempt = rig.attempt(job)
    await rig.export(attempt)
    exported = attempt.load(Exported)
    assert exported is not None
    assert exported.file_id == "delivered before"
    assert await rig.nemo.renders() == []
    await rig.export.export(rig.attempt(job, CachedResultUnusable()))
    assert len(await rig.nemo.renders()) == 1


@pytest.mark.parametrize(
    ("seen", "renders"),
    [
        (["lost", "processing", "lost", "processing"], 1),
        (["lost", "down", "lost", "processing"], 1),
        (["lost", "lost"], 2),
        (["down"] * (SILENT_POLLS - 1) + ["processing"] + ["down"] * (SILENT_POLLS - 1), 1),
    ],
    ids=["lost", "lost or down", "lost for good", "down"],
)
async def test_polls_that_lose_the_render_count_only_in_a_row(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, seen: list[str], renders: int
) -> None:
    await rig.open_project(a_draft(0))
    nemo = rig.projects.nemo
    looks: Iterator[str] = iter(seen)
    real = nemo.get_render

    async def get_render(credentials: Credentials, render_id: str) -> Render:
        match next(looks, "real"):
            case "lost":
                raise ServiceError(Call("GET", "/render"), "unknown", status=404)
            case "down":
                raise TransportError(Call("GET", "/render"), sent=True)
            case "processing":
                return Render(render_id, RenderStatus.PROCESSING)
        return await real(credentials, render_id)

    await rig.nemo.set(pace={"render_s": 6})
    monkeypatch.setattr(nemo, "get_render", get_render)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    assert attempt.load(Exported) is not None
    assert attempt.load(RenderStarted) is not None
    assert len(await rig.nemo.renders()) == renders


async def test_polls_without_an_answer_end_the_export(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.open_project(a_draft(0))
    polls = AsyncMock(side_effect=TransportError(Call("GET", "/render"), sent=True))
    monkeypatch.setattr(rig.projects.nemo, "get_render", polls)
    with pytest.raises(JobEnded) as ended:
        await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "export.unavailable"
    assert polls.await_count == SILENT_POLLS


async def test_a_link_that_breaks_every_time_is_passed_over_for_the_download_call(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("media", cut_after_bytes=100, times=-1)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    exported = attempt.load(Exported)
    assert exported is not None
    assert exported.is_fetched
    assert rig.responder.result_path.stat().st_size == exported.size_bytes


async def test_an_answer_without_a_file_is_no_result(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("media", status=204, body="", content_type="video/mp4", times=-1)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    assert rig.responder.result_path.stat().st_size > 0


async def test_a_render_id_that_is_taken_by_nothing_that_can_be_found_is_replaced(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("render", status=409, times=1)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    started = attempt.load(RenderStarted)
    assert started is not None
    assert [render.id for render in await rig.nemo.renders()] == [started.render_id]
    assert attempt.load(Exported) is not None


async def test_a_render_that_could_not_be_looked_at_is_not_begun_again(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    first = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(first)
    started = first.load(RenderStarted)
    assert started is not None
    await rig.nemo.fault("render-status", status=500, times=1)
    second = rig.attempt(rig.job(kind=JobKind.EXPORT), started)
    await rig.export(second)
    assert second.load(Exported) is not None
    assert [render.id for render in await rig.nemo.renders()] == [started.render_id]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 502, "body": "<html>Bad gateway</html>"},
        {"status": 503, "content_type": "application/json", "body": '{"error": "overloaded"}'},
        {"status": 500, "code": 5000},
        {"status": 400, "content_type": "application/json", "body": '{"error": "Render id in use"}'},
    ],
    ids=lambda fault: str(fault["status"]),
)
async def test_a_render_that_does_not_start_is_tried_once_more(rig: Rig, fault: dict[str, Any]) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("render", **fault)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    assert attempt.load(Exported) is not None


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ({"status": 503, "body": "<html>Service Unavailable</html>"}, "export.failed_busy"),
        (
            {"status": 400, "content_type": "application/json", "body": '{"error": "no"}'},
            "export.unavailable",
        ),
        (
            {
                "status": 409,
                "content_type": "application/json",
                "body": '{"error": "another render of this session is in progress"}',
            },
            "export.failed_busy",
        ),
    ],
    ids=["failed", "refused", "another goes on"],
)
async def test_why_no_render_starts_is_told(rig: Rig, fault: dict[str, Any], key: str) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("render", times=-1, **fault)
    with pytest.raises(JobEnded) as ended:
        await rig.export(rig.attempt(rig.job(kind=JobKind.EXPORT)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == key


@pytest.mark.parametrize("kind", FailureKind)
def test_every_reason_has_a_text_of_its_own(kind: FailureKind) -> None:
    assert {f"export.failed_{kind}", f"error.turn_{kind}"} <= set(texts("en"))


async def test_files_of_the_agents_machine_are_rendered_from_their_urls(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = a_draft(0)
    draft["t"][0]["sg"][0]["url"] = "/mnt/userdata/beach.mp4"
    await rig.open_project(draft)
    nemo = rig.projects.nemo
    get_state, start_render = nemo.get_state, nemo.start_render
    rendered: list[Any] = []

    async def get_state_with_media(credentials: Credentials, session_id: str) -> ProjectState:
        media = [{"filename": "beach.mp4", "cdn_url": "https://cdn.example.com/b.mp4"}]
        return replace(await get_state(credentials, session_id), generated_media=media)

    async def start_and_note(
        credentials: Credentials, render_id: str, session_id: str, raw_draft: Any
    ) -> Render:
        rendered.append(raw_draft)
        return await start_render(credentials, render_id, session_id, raw_draft)

    monkeypatch.setattr(nemo, "get_state", get_state_with_media)
    monkeypatch.setattr(nemo, "start_render", start_and_note)
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    assert rendered[0]["t"][0]["sg"][0]["url"] == "https://cdn.example.com/b.mp4"


@pytest.mark.parametrize("may_shrink", [True, False])
async def test_what_is_too_large_to_be_sent_is_fetched_to_be_made_smaller(rig: Rig, may_shrink: bool) -> None:
    chat = await rig.open_project(a_draft(0))
    await rig.projects.chats.update(chat.key, ChatFields(shrink_results=may_shrink))
    rig.responder.send_limit_bytes = 10
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(attempt)
    exported = attempt.load(Exported)
    assert exported is not None
    assert exported.is_fetched is may_shrink
