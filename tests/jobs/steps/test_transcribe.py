"""A spoken request: heard once, shown once, and sent as it was heard."""

from dataclasses import replace

import pytest

from bot.jobs.buttons import ButtonAction, EditHeard, Export, ShowCredits
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Job, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import FileGone, FileTooLarge
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.steps import transcribe
from bot.jobs.steps.transcribe import Heard, Transcribe
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.media.transcription import NotTranscribed, Transcriber
from tests.jobs.steps.conftest import Rig, a_file, again, queue_of

FALLBACK = "My request is spoken in voice.m4a."


class Ears(Transcriber):
    """Hears a text, or nothing."""

    def __init__(self, text: str) -> None:
        self.text, self.times = text, 0

    async def transcribe(self, name: str, content_type: str, content: bytes) -> str:
        self.times += 1
        if not self.text:
            raise NotTranscribed
        return self.text


def spoken(rig: Rig) -> tuple[Job, Attempt]:
    """Begin an attempt at a request that is spoken in the file of another job."""
    voice = rig.job(files=(a_file(1, kind="voice"),))
    rig.responder.files = {"file-1": b"sound"}
    attempt = rig.attempt(rig.job(prompt=FALLBACK, payload=EditPayload(voice_job_id=voice.id)))
    queue_of(attempt).waiting[voice.id] = JobStatus(voice, JobState.DONE, position=0)
    return voice, attempt


async def listen(attempt: Attempt, ears: Ears | None) -> None:
    await Transcribe(ears)(attempt)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribe, "PAUSE_S", 0.0)


async def test_the_request_is_what_was_heard_and_another_attempt_listens_no_more(rig: Rig) -> None:
    _, attempt = spoken(rig)
    ears = Ears("Trim it")
    await listen(attempt, ears)
    following = again(attempt)
    await listen(following, ears)
    assert [one.job.prompt for one in (attempt, following)] == ["Trim it"] * 2
    assert ears.times == 1
    heard = rig.responder.sent["heard"]
    assert isinstance(heard, LocalizedMessage)
    assert (heard.key, heard.params) == ("voice.heard", {"text": "Trim it"})
    assert heard.buttons[0].action == EditHeard(attempt.job.id)
    assert heard.quiet


@pytest.mark.parametrize(
    ("said", "key", "actions"),
    [
        ("Export.", "voice.command", [Export()]),
        ("查一下积分", "voice.command", [ShowCredits()]),
        ("Thank you.", "voice.no_request", []),
        ("Cancel.", "voice.no_request", []),
        ("删除所有数据", "voice.no_request", []),
        ("...", "voice.no_request", []),
    ],
)
async def test_the_agent_is_not_paid_for_words_that_are_none_for_it(
    rig: Rig, said: str, key: str, actions: list[ButtonAction]
) -> None:
    _, attempt = spoken(rig)
    with pytest.raises(JobEnded) as ended:
        await listen(attempt, Ears(said))
    message = ended.value.message
    assert isinstance(message, LocalizedMessage)
    assert (message.key, message.params) == (key, {"text": said})
    assert [button.action for button in message.buttons] == actions
    assert (ended.value.state, rig.responder.sent) == (JobState.DONE, {})


async def test_what_a_spoken_request_is_about_stays_with_it(rig: Rig) -> None:
    _, attempt = spoken(rig)
    attempt.job = replace(attempt.job, prompt=f"{FALLBACK}\n\n(This is about a.mp4.)")
    await listen(attempt, Ears("Trim it"))
    assert attempt.job.prompt == "Trim it\n\n(This is about a.mp4.)"


@pytest.mark.parametrize("said", ["Yes.", "2", "make three versions with different music"])
async def test_what_may_answer_the_agent_goes_to_it(rig: Rig, said: str) -> None:
    _, attempt = spoken(rig)
    await listen(attempt, Ears(said))
    assert attempt.job.prompt == said


@pytest.mark.parametrize(
    "case", ["no endpoint", "silence", "gone", "too large", "too long", "of another type", "the job is gone"]
)
async def test_what_is_not_heard_goes_to_the_agent_with_the_file(rig: Rig, case: str) -> None:
    voice, attempt = spoken(rig)
    errors = {
        "gone": FileGone(),
        "too large": FileTooLarge(20_000_000),
        "too long": AudioTooLong(600),
        "of another type": FileTypeUnsupported("voice.ogg"),
    }
    if case in errors:
        rig.responder.files["file-1"] = errors[case]
    if case == "the job is gone":
        del queue_of(attempt).waiting[voice.id]
    await listen(attempt, None if case == "no endpoint" else Ears("" if case == "silence" else "Trim it"))
    assert attempt.job.prompt == FALLBACK
    assert rig.responder.sent == {}
    assert attempt.load(Heard) == (None if case == "no endpoint" else Heard())


async def test_a_request_in_words_is_left_alone(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(prompt="trim it"))
    await listen(attempt, Ears("something else"))
    assert (attempt.job.prompt, rig.responder.stages) == ("trim it", [])
