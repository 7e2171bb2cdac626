"""A spoken message without words: what its buttons send to the agent."""

import pytest

from bot.jobs.buttons import EditHeard, UseVoice, pack
from bot.jobs.checkpoints import FILES, Uploaded, UploadedFile
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.jobs.steps.ask_for_prompt import ask_for_prompt
from bot.jobs.steps.transcribe import Heard
from bot.words import Words
from tests.cards import built_in_cards
from tests.jobs.steps.conftest import Rig, a_file, queue_of, rig
from tests.telegram.test_handlers import ANN, PRIVATE, VIDEO, Json, Received, docket, message, press, received

__all__ = ["docket", "received", "rig"]  # fixtures

VOICE: Json = {"file_id": "v", "file_unique_id": "u", "duration": 3, "mime_type": "audio/ogg"}


@pytest.mark.parametrize(
    ("as_request", "key"), [(True, "prompt.voice_request"), (False, "prompt.voice_audio")]
)
async def test_the_agent_gets_the_name_that_the_file_has_in_the_project(
    received: Received, as_request: bool, key: str
) -> None:
    (spoken,) = await received(message("", PRIVATE, voice=VOICE, **{"from": ANN}))
    uploaded = Uploaded(session_id="s", sources={"v": UploadedFile(name="voice_7.m4a")})
    await WaitingCheckpoints(received.job_queue, spoken).save(uploaded, FILES)
    (job,) = await received(press(pack(UseVoice(as_request=as_request, job_id=spoken.id)), ANN, PRIVATE))
    assert (job.kind, job.prompt) == (JobKind.EDIT, Words("en").plain(key, name="voice_7.m4a"))


@pytest.mark.parametrize(("as_request", "about"), [(True, ["clip"]), (False, [])])
async def test_a_spoken_request_is_about_the_file_that_it_answers(
    received: Received, as_request: bool, about: list[str]
) -> None:
    clip = message("", PRIVATE, video={**VIDEO, "file_id": "clip"}, **{"from": ANN})["message"]
    said = message("", PRIVATE, message_id=8, voice=VOICE, reply_to_message=clip, **{"from": ANN})
    (spoken,) = await received(said)
    assert [file.file_id for file in (await received.job_queue.gathered(spoken)).job.files] == ["v"]
    (job,) = await received(press(pack(UseVoice(as_request=as_request, job_id=spoken.id)), ANN, PRIVATE))
    assert [file.file_id for file in job.files] == about


@pytest.mark.parametrize(
    ("kinds", "asked"),
    [(["voice"], True), (["video_note"], True), (["audio"], False), (["voice", "voice"], False)],
)
async def test_only_what_was_spoken_alone_is_asked_about(rig: Rig, kinds: list[str], asked: bool) -> None:
    files = tuple(a_file(number, kind=kind) for number, kind in enumerate(kinds))
    attempt = rig.attempt(rig.job(files=files))
    await ask_for_prompt(attempt, built_in_cards(platform="test").active(None))
    buttons = rig.responder.sent["received"].buttons
    assert any(isinstance(button.action, UseVoice) for button in buttons) is asked


@pytest.mark.parametrize(
    ("kind", "key"), [("voice", "upload.spoken_beside_question"), ("photo", "upload.beside_question")]
)
async def test_a_spoken_answer_to_a_question_is_told_to_be_none(rig: Rig, kind: str, key: str) -> None:
    attempt = rig.attempt(rig.job(files=(a_file(kind=kind),)))
    queue_of(attempt).questions.asking = "asking"
    await ask_for_prompt(attempt, built_in_cards(platform="test").active(None))
    message = rig.responder.sent["received"]
    assert isinstance(message, LocalizedMessage)
    assert message.key == key


async def test_what_was_misheard_is_stopped_and_offered_for_correction(received: Received) -> None:
    (job,) = await received(message("my request is spoken", PRIVATE, **{"from": ANN}))
    await WaitingCheckpoints(received.job_queue, job).save(Heard(text="Trim <it>"))
    (answer,) = await received(press(pack(EditHeard(job.id)), ANN, PRIVATE))
    assert answer.payload_as(MessagePayload).message == LocalizedMessage("voice.edit", {"text": "Trim <it>"})
    status = await received.job_queue.find(job.chat, job.id)
    assert status is not None
    assert status.state is JobState.CANCELLED
