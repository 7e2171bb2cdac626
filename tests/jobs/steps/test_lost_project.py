"""A project that NemoVideo no longer has is told wherever that shows."""

import contextlib

import pytest

from bot.chats.chats import ChatFields
from bot.chats.project_file import ProjectFile
from bot.jobs.checkpoints import PromptSent
from bot.jobs.steps.show_credits import ShowCredits
from bot.jobs.steps.upload import Upload
from bot.jobs.worker.attempt import JobEnded
from bot.jobs.worker.lost_project import LostProject
from bot.projects.projects import ProjectLoss
from bot.sandbox.samples import make_audio
from tests.jobs.steps.conftest import Rig, a_draft, a_file, a_part


async def test_lost_while_the_credits_are_asked_for(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await rig.nemo.fault("credits", code=1002)
    await ShowCredits(rig.projects)(rig.attempt())
    assert rig.responder.keys == ["lost.no_files"]
    assert list(rig.responder.sent) == ["project_lost", "credits"]


async def test_lost_during_an_upload(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    tone = make_audio(rig.responder.result_path.with_name("tone.mp3"), 0.2).read_bytes()
    file = a_file(1, kind="audio", name="tone.mp3", content_type="audio/mpeg")
    rig.responder.files = {file.file_id: tone}
    await rig.nemo.fault("upload", code=1002)
    await Upload(rig.projects, rig.cards, rig.usual_times)(
        rig.attempt(rig.job(files=(file,)), parts=[a_part(file)])
    )
    assert rig.responder.keys == ["lost.no_files"]
    assert [upload.name for upload in await rig.nemo.uploads()] == ["tone.mp3"]


async def test_a_prompt_that_a_lost_project_refused_counts_as_not_sent(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(prompt="shorter"), PromptSent())
    await LostProject(attempt, rig.projects.chats).offer(ProjectLoss(None))
    assert attempt.load(PromptSent) is None
    assert rig.responder.keys == ["lost.session_gone"]


@pytest.mark.parametrize("has_begun", [True, False])
async def test_a_request_that_has_begun_waits_for_no_decision_about_an_earlier_loss(
    rig: Rig, has_begun: bool
) -> None:
    job = rig.job(prompt="shorter")
    chats = rig.projects.chats
    await chats.update(job.chat, ChatFields(lost_session_id="lost"))
    file = ProjectFile(telegram_chat_id=1, message_id=7, session_id="lost", name="a.mp4", file_id="a")
    await chats.save_project_file(job.chat, file)
    handler = LostProject(rig.attempt(job, *([PromptSent()] if has_begun else [])), chats)
    with contextlib.nullcontext() if has_begun else pytest.raises(JobEnded):
        await handler.offer_if_undecided(await chats.get(job.chat))
