import pytest

from bot.chats.chats import ChatFields
from bot.jobs.steps.known_files import without_known_files
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
