from pathlib import Path

import pytest

from bot.jobs.buttons import ExtractKind
from bot.jobs.checkpoints import Exported, RenderStarted
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.payloads import ExtractPayload
from bot.jobs.ports import FileTooLarge
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.steps.make_extract import MakeExtract
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.shrink import MIN_BYTES
from bot.media.video_facts import read_video_facts
from bot.sandbox.samples import make_video
from tests.jobs.steps.conftest import Rig, a_draft, a_file, queue_of


def attempt_at(rig: Rig, kind: str) -> Attempt:
    payload = ExtractPayload(kind=ExtractKind(kind), result_job_id="0123456789abcdef")
    return rig.attempt(rig.job(kind=JobKind.EXTRACT, files=(a_file(),), payload=payload, prompt=""))


async def make(rig: Rig, attempt: Attempt) -> LocalizedMessage | None:
    """Take the step; return the message that it ended with, if it did."""
    try:
        await MakeExtract(rig.projects)(attempt)
    except JobEnded as end:
        return end.message if isinstance(end.message, LocalizedMessage) else None
    return None


@pytest.mark.parametrize(
    ("form", "kind", "sent"),
    [
        ("gif", "animation", "video/mp4"),
        ("round", "video_note", "video/mp4"),
        ("audio", "audio", "audio/mpeg"),
        ("still", "photo", "image/jpeg"),
    ],
)
async def test_each_form_is_sent_as_what_it_is(
    rig: Rig, tmp_path: Path, form: str, kind: str, sent: str
) -> None:
    clip = make_video(tmp_path / "clip.mp4", 1, 160, 90, 10, audio=True)
    rig.responder.files = {a_file().file_id: clip.read_bytes()}
    assert await make(rig, attempt_at(rig, form)) is None
    _, content_type, _ = rig.responder.sent_files["extract"]
    assert (rig.responder.kinds_sent["extract"], content_type) == (kind, sent)
    assert await rig.nemo.messages() == []


async def test_what_is_missing_or_small_already_is_told(rig: Rig, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 1, 160, 90, 10, audio=False)
    rig.responder.files = {a_file().file_id: clip.read_bytes()}
    told = [await make(rig, attempt_at(rig, form)) for form in ("audio", "smaller")]
    assert [one and one.key for one in told] == ["extract.failed_audio", "extract.small_already"]


async def test_a_smaller_file_has_half_the_size_at_most_and_is_playable(rig: Rig, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 1, 160, 90, 10, size_bytes=2 * MIN_BYTES)
    rig.responder.files = {a_file().file_id: clip.read_bytes()}
    assert await make(rig, attempt_at(rig, "smaller")) is None
    ((key, result),) = rig.responder.delivered
    assert (key, result.exported.as_file) == ("extract", False)
    assert result.path is not None
    assert result.exported.size_bytes == result.path.stat().st_size <= MIN_BYTES
    facts = await read_video_facts(result.path)
    assert facts.is_playable
    assert facts.duration_s == pytest.approx(1, abs=0.2)
    assert await rig.nemo.messages() == []


async def test_a_video_that_telegram_hands_out_no_more_comes_from_nemovideo(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    exporting = rig.attempt(rig.job(kind=JobKind.EXPORT))
    await rig.export(exporting)
    rig.responder.files = {a_file().file_id: FileTooLarge(20_000_000)}
    attempt = attempt_at(rig, "file")
    queue = queue_of(attempt)
    queue.waiting["0123456789abcdef"] = JobStatus(exporting.job, JobState.DONE, 0)
    for saved in (exporting.load(RenderStarted), exporting.load(Exported)):
        assert saved is not None
        queue.saved[type(saved).name] = saved.model_dump(mode="json")
    assert await make(rig, attempt) is None
    ((_, result),) = rig.responder.delivered
    assert result.exported.as_file
    assert result.exported.size_bytes
