import pytest

from bot.chats.chats import ChatFields
from bot.chats.project_file import ProjectFile
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import GatheredJob
from bot.jobs.steps.known_files import without_known_files
from bot.words import Words
from tests.jobs.steps.conftest import Rig, a_file, a_part, queue_of


@pytest.mark.parametrize(("session_id", "is_uploaded"), [("now", False), ("before", True)])
async def test_the_latest_result_is_uploaded_again_only_for_another_project(
    rig: Rig, session_id: str, is_uploaded: bool
) -> None:
    video = a_file(7, is_result=True)
    job = rig.job(prompt="shorter", files=(video,))
    result = {
        "result_chat_id": job.telegram_chat_id,
        "result_message_id": 7,
        "result_session_id": session_id,
    }
    await rig.projects.chats.update(job.chat, ChatFields.model_validate({"session_id": "now", **result}))
    attempt = rig.attempt(job, parts=[a_part(video, message_id=7)])
    left = await without_known_files(rig.projects, attempt, queue_of(attempt).gathered_job)
    assert left.files == ((video,) if is_uploaded else ())
    assert (video.name in left.prompt) is is_uploaded


@pytest.mark.parametrize(
    ("unique_id", "is_restored", "is_uploaded", "prompt"),
    [
        ("shot", False, False, "shorter\n\n{about}"),
        ("shot", True, False, "shorter"),
        ("new", False, True, "shorter"),
    ],
)
async def test_what_the_project_has_is_named_and_what_replaced_it_in_its_message_is_uploaded(
    rig: Rig, unique_id: str, is_restored: bool, is_uploaded: bool, prompt: str
) -> None:
    file = a_file(7, unique_id=unique_id)
    payload = EditPayload(supporting_file_ids=(file.file_id,) if is_restored else ())
    job = rig.job(prompt="shorter", files=(file,), payload=payload)
    await rig.projects.chats.update(job.chat, ChatFields(session_id="now"))
    known = ProjectFile(
        telegram_chat_id=job.telegram_chat_id, message_id=7, session_id="now", name="a.mp4", unique_id="shot"
    )
    await rig.projects.chats.save_project_file(job.chat, known)
    left = await without_known_files(rig.projects, rig.attempt(job), GatheredJob(job, (), 0, 0.0))
    assert left.files == ((file,) if is_uploaded else ())
    assert left.prompt == prompt.format(about=Words("en").plain("prompt.about", names="a.mp4"))
