from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.chats.project_list import ListedProject
from bot.jobs.buttons import Cancel
from bot.jobs.checkpoints import AgentAnswered, MessageSend, SentMessage, field_of
from bot.jobs.messages import ListMessage, TimelinePicture
from bot.jobs.model import Job, JobKind, JobState, QueueName
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.steps import show_status
from bot.jobs.steps.show_status import ShowStatus
from bot.media import clip_look
from bot.media.decoder_process import Bounds
from bot.nemo.questions import Question, QuestionSet
from bot.nemo.uploads import FileToUpload
from bot.projects.call_retries import RATE_LIMIT_PAUSE_S
from bot.sandbox.samples import make_photo
from tests.clocks import PATIENCE_S
from tests.jobs.steps.conftest import MemoryQuestions, MemoryQueue, Rig, a_draft, queue_of


async def status(
    rig: Rig, waiting: int, *, first: JobState = JobState.RUNNING, paused: bool = False
) -> list[str]:
    """The keys of the lines that are shown."""
    attempt = rig.attempt(rig.job(kind=JobKind.STATUS, queue=QueueName.QUICK))
    queue = queue_of(attempt)
    jobs = [rig.job() for _ in range(waiting)]
    queue.waiting = {job.id: JobStatus(job, first, 0) for job in jobs}
    queue.is_stopped = paused
    await ShowStatus(rig.projects)(attempt)
    message = rig.responder.sent["status"]
    caption = message.caption if isinstance(message, TimelinePicture) else message
    assert isinstance(caption, ListMessage)
    return [caption.heading.key, *(line.key for line in caption.lines)]


async def test_without_a_project_none_is_made(rig: Rig) -> None:
    assert await status(rig, 0) == ["status.empty", "status.idle"]
    assert await rig.nemo.sessions() == []


async def test_a_timeline_is_drawn_with_its_tracks_and_the_credits(rig: Rig) -> None:
    await rig.open_project(a_draft(0, 7))
    assert await status(rig, 0) == [
        "status.heading",
        "status.track",
        "status.track",
        "status.idle",
        "status.credits",
    ]
    assert isinstance(rig.responder.sent["status"], TimelinePicture)


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        ("credits", ["status.heading", "status.track", "status.track", "status.idle"]),
        ("state", ["error.busy", "status.idle"]),
    ],
)
async def test_too_many_requests_are_not_waited_out(rig: Rig, call: str, lines: list[str]) -> None:
    await rig.open_project(a_draft(0, 7))
    await rig.nemo.fault(call, status=429)
    before_s = rig.clock.monotonic_s()
    assert await status(rig, 0) == lines
    assert rig.clock.monotonic_s() - before_s < RATE_LIMIT_PAUSE_S


@pytest.mark.parametrize(
    ("waiting", "first", "paused", "lines"),
    [
        (1, JobState.RUNNING, False, ["status.working"]),
        (3, JobState.RUNNING, False, ["status.working", "status.waiting"]),
        (2, JobState.QUEUED, True, ["status.paused", *["status.waiting_request"] * 2]),
        (2, JobState.RUNNING, True, ["status.working", "status.waiting"]),
    ],
)
async def test_what_runs_and_waits_is_told(
    rig: Rig, waiting: int, first: JobState, paused: bool, lines: list[str]
) -> None:
    assert await status(rig, waiting, first=first, paused=paused) == ["status.empty", *lines]


@pytest.mark.parametrize(
    ("behind", "lines"),
    [(0, ["status.asking"]), (2, ["status.asking", "status.waiting", *["status.waiting_request"] * 2])],
)
async def test_an_open_question_is_shown_again(rig: Rig, behind: int, lines: list[str]) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.STATUS, queue=QueueName.QUICK))
    queue, asking = queue_of(attempt), rig.job()
    queue.waiting = {asking.id: JobStatus(asking, JobState.ASKING, 0)}
    queue.waiting |= {
        job.id: JobStatus(job, JobState.QUEUED, 1) for job in (rig.job() for _ in range(behind))
    }
    _ask(queue, asking, MessageSend(sent=SentMessage(message_id=5, telegram_chat_id=4711)))
    await ShowStatus(rig.projects)(attempt)
    message = rig.responder.sent["status"]
    assert isinstance(message, ListMessage)
    assert [line.key for line in message.lines] == lines
    assert [button.text for button in rig.responder.sent["question"].buttons] == ["Cinematic", "Cartoon"]


def _ask(queue: MemoryQueue, asking: Job, *sends: MessageSend) -> None:
    queue.questions = MemoryQuestions(asking=asking.id, asked=["1.0"])
    question = QuestionSet((Question("Which look?", ("Cinematic", "Cartoon")),))
    queue.saved = {AgentAnswered.name: AgentAnswered(question_set=question).model_dump(mode="json")}
    queue.saved |= {field_of(MessageSend, "question.1.0.0"): send.model_dump(mode="json") for send in sends}


async def test_a_question_that_is_just_being_sent_is_not_sent_twice(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.STATUS, queue=QueueName.QUICK))
    queue, asking = queue_of(attempt), rig.job()
    queue.waiting = {asking.id: JobStatus(asking, JobState.RUNNING, 0)}
    _ask(queue, asking)
    await ShowStatus(rig.projects)(attempt)
    message = rig.responder.sent["status"]
    assert isinstance(message, ListMessage)
    assert [line.key for line in message.lines] == ["status.asking"]
    assert "question" not in rig.responder.sent


async def test_each_request_that_waits_is_listed_with_its_words_and_a_button(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    attempt = rig.attempt(rig.job(kind=JobKind.STATUS, queue=QueueName.QUICK))
    running, *waiting = [rig.job(prompt=f"request {number}") for number in range(9)]
    queue = queue_of(attempt)
    queue.waiting = {running.id: JobStatus(running, JobState.RUNNING, 0)}
    queue.waiting |= {job.id: JobStatus(job, JobState.QUEUED, 0) for job in waiting}
    await ShowStatus(rig.projects)(attempt)
    message = rig.responder.sent["status"]
    assert isinstance(message, TimelinePicture)
    assert [line.params for line in message.waiting] == [
        {"position": number, "words": f"request {number}"} for number in range(1, 6)
    ]
    cancel = [button.action for button in message.buttons if isinstance(button.action, Cancel)]
    assert cancel == [Cancel(job.id) for job in waiting[:5]]


async def test_clips_are_pictured_as_far_as_their_files_can_be_had(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        show_status, "MAX_WAIT_S", PATIENCE_S
    )  # a busy machine may take longer than a person waits
    monkeypatch.setattr(clip_look, "_BOUNDS", Bounds(wall_s=PATIENCE_S, cpu_s=60))
    await rig.open_project()
    project = await rig.projects.open(rig.job())
    content = make_photo(tmp_path / "photo.png").read_bytes()

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    file = FileToUpload("photo.png", "image/png", len(content), chunks())
    await rig.projects.nemo.upload_files(project.credentials, project.session_id, [file])
    infos: Any = (await rig.projects.get_state(rig.job())).video_infos
    here, elsewhere = infos[0]["cdn_url"], "https://elsewhere.example/a.mp4"
    draft: Any = a_draft(0, 0)
    draft["t"][0]["sg"][0]["media_url"], draft["t"][1]["sg"][0]["media_url"] = here, elsewhere
    await rig.nemo.set_draft(project.session_id, draft)
    await status(rig, 0)
    picture = rig.responder.sent["status"]
    assert isinstance(picture, TimelinePicture)
    assert list(picture.looks) == [here]


async def test_the_picture_has_the_projects_name_in_the_chat(rig: Rig) -> None:
    chat = await rig.open_project({**a_draft(0), "m": {"title": "project"}})
    titles = []
    for name in ("", "Holidays"):
        listed = ListedProject(session_id=chat.session_id or "", name=name, used_at=rig.clock.now())
        await rig.projects.chats.project_list.save(chat.key, listed)
        await status(rig, 0)
        picture = rig.responder.sent.pop("status")
        assert isinstance(picture, TimelinePicture)
        titles.append(picture.draft.title)
    assert titles == [None, "Holidays"]
