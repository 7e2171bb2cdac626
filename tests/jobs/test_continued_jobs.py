import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.chats.chats import ChatFields, Chats
from bot.chats.project_file import ProjectFile
from bot.chats.token_cipher import TokenCipher
from bot.jobs.buttons import GoOnChoice
from bot.jobs.checkpoints import (
    FILES,
    LINKS,
    AgentAnswered,
    Checkpoint,
    ProjectLost,
    Turn,
    Uploaded,
)
from bot.jobs.model import Attachment, Job, JobKind
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.continued_jobs import make_resumed_job, make_retry_job
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from tests.clocks import HandClock
from tests.jobs.conftest import CHAT, new_job

LINK = "https://media.example/a.mp4"
JOB = new_job(
    files=(Attachment("clip", "video", "a.mp4", 5, "video/mp4"),), payload=EditPayload(links=(LINK,))
)


async def retried(job_queue: JobQueue, redis: Redis, project: str, *saved: tuple[Checkpoint, str]) -> Job:
    """Retry a job that saved these checkpoints, in a chat whose project is now this one."""
    chats = Chats(redis, TokenCipher([Fernet.generate_key().decode()]))
    await job_queue.enqueue([JOB], 1)
    for checkpoint, key in saved:
        await WaitingCheckpoints(job_queue, JOB).save(checkpoint, key)
    await chats.update(CHAT, ChatFields(session_id=project))
    again = await make_retry_job(job_queue, chats, JOB, HandClock().now())
    assert again is not None
    return again


@pytest.mark.parametrize(("project", "is_there"), [("first", True), ("after /new", False)])
async def test_only_what_the_present_project_has_is_not_uploaded_again(
    job_queue: JobQueue, redis: Redis, project: str, is_there: bool
) -> None:
    again = await retried(
        job_queue,
        redis,
        project,
        (Uploaded(session_id="first", sources={"clip": None}), FILES),
        (Uploaded(session_id="first", sources={LINK: None}), LINKS),
    )
    assert again.files == (() if is_there else JOB.files)
    assert again.payload_as(EditPayload).links == (() if is_there else (LINK,))


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (AgentAnswered(), JobKind.EXPORT),
        (AgentAnswered(failed=True, has_changed=True), JobKind.EXPORT),
        (AgentAnswered(failed=True, has_changed=False), JobKind.EDIT),
        (AgentAnswered(failed=True, still_generating=True), JobKind.EXPORT),
    ],
)
async def test_what_the_agent_did_is_not_asked_and_charged_again(
    job_queue: JobQueue, redis: Redis, answered: AgentAnswered, kind: JobKind
) -> None:
    assert (await retried(job_queue, redis, "first", (answered, ""))).kind is kind


async def test_answers_that_the_agent_did_not_get_are_sent_again(job_queue: JobQueue, redis: Redis) -> None:
    turn = Turn(number=2, prompt="1. Which look?: Film")
    again = await retried(job_queue, redis, "first", (AgentAnswered(), ""), (turn, ""))
    assert (again.kind, again.prompt) == (JobKind.EDIT, turn.prompt)


ANSWERS = Turn(number=2, prompt="1. Which look?: Film")


@pytest.mark.parametrize(
    ("choice", "is_waiting", "saved", "restored", "prompt"),
    [
        (GoOnChoice.RESTORE, True, None, ("song",), JOB.prompt),
        (GoOnChoice.RESTORE, True, ANSWERS, ("song",), f"{JOB.prompt}\n\n{ANSWERS.prompt}"),
        (GoOnChoice.RESTORE, False, ANSWERS, ("song",), ""),
        (GoOnChoice.EMPTY, True, None, (), JOB.prompt),
    ],
)
async def test_files_are_put_back_once_and_only_a_request_that_waited_is_sent_again(
    job_queue: JobQueue,
    redis: Redis,
    choice: GoOnChoice,
    is_waiting: bool,
    saved: Turn | None,
    restored: tuple[str, ...],
    prompt: str,
) -> None:
    chats = Chats(redis, TokenCipher([Fernet.generate_key().decode()]))
    await job_queue.enqueue([JOB], 1)
    lost = ProjectLost(session_id="lost", is_waiting=is_waiting)
    checkpoints = [lost, *([saved] if saved else [])]
    await WaitingCheckpoints(job_queue, JOB).save_all(*((one, "") for one in checkpoints))
    for number, name in enumerate(("song", "clip")):
        file = ProjectFile(
            telegram_chat_id=1, message_id=number, session_id="lost", name=name, file_id=name, kind="video"
        )
        await chats.save_project_file(CHAT, file)
    job = await make_resumed_job(job_queue, chats, JOB, choice, HandClock().now())
    assert job is not None
    assert [file.file_id for file in job.files] == [*restored, "clip"]
    assert job.payload_as(EditPayload).supporting_file_ids == restored
    assert job.prompt == prompt


async def test_a_request_that_may_use_the_last_credits_is_the_same_one(
    job_queue: JobQueue, chats: Chats
) -> None:
    await job_queue.enqueue([JOB], 1)
    job = await make_resumed_job(job_queue, chats, JOB, GoOnChoice.SPEND, HandClock().now())
    assert job is not None
    assert (job.prompt, job.files) == (JOB.prompt, JOB.files)
    assert job.payload_as(EditPayload).may_use_last_credits


def test_supporting_files_of_a_job_that_an_earlier_release_stored_are_known() -> None:
    assert EditPayload.model_validate_json('{"restored_file_ids": ["logo"]}').supporting_file_ids == ("logo",)
