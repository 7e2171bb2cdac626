from collections.abc import Awaitable, Callable

import pytest

from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import Gathered
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.refusal_messages import continues_without
from bot.jobs.steps.gather import Gather, take_all
from bot.jobs.worker.attempt import Attempt, JobEnded
from tests.jobs.steps.conftest import Rig, a_file, a_part, again, queue_of

TEXT_FILE = a_file(2, kind="document", name="idea.txt", content_type="text/plain")
REFUSAL = LocalizedMessage("error.file_type")


async def test_a_text_file_becomes_part_of_the_prompt_and_is_read_once(rig: Rig) -> None:
    clip = a_file(1)
    rig.responder.files = {TEXT_FILE.file_id: b"with calm music"}
    job = rig.job(prompt="make it shorter", files=(clip, TEXT_FILE))
    attempt = rig.attempt(job, parts=[a_part(clip), a_part(TEXT_FILE, message_id=2)])

    await Gather()(attempt)
    following = again(attempt)
    await Gather()(following)

    for one in (attempt, following):
        assert one.job.prompt == "make it shorter\n\nwith calm music"
        assert one.job.files == (clip,)
    assert rig.responder.opened == [TEXT_FILE.file_id]


async def test_a_text_file_that_joins_later_is_read_beside_what_was_read_before(rig: Rig) -> None:
    rig.responder.files = {TEXT_FILE.file_id: b"with calm music"}
    before = Gathered(version=0, text_files={"file-9": "and a title"})
    first = a_file(9, kind="document", name="first.txt")
    attempt = rig.attempt(
        rig.job(prompt="", files=(first, TEXT_FILE)),
        before,
        parts=[a_part(first, message_id=9), a_part(TEXT_FILE)],
    )
    await Gather()(attempt)
    assert attempt.job.prompt == "and a title\n\nwith calm music"
    assert rig.responder.opened == [TEXT_FILE.file_id]


async def test_words_alone_are_not_saved(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(prompt="trim it"))
    await Gather()(attempt)
    assert attempt.job.prompt == "trim it"
    assert queue_of(attempt).saved == {}


@pytest.mark.parametrize("state", [JobState.DONE, JobState.CANCELLED, JobState.FAILED, None])
async def test_what_came_with_new_runs_only_in_the_new_project(rig: Rig, state: JobState | None) -> None:
    new = rig.job(id="new", kind=JobKind.NEW, prompt="")
    attempt = rig.attempt(rig.job(payload=EditPayload(new_job_id=new.id)))
    if state is not None:
        queue_of(attempt).waiting[new.id] = JobStatus(new, state, 0)
    if state is JobState.DONE:
        return await Gather()(attempt)
    with pytest.raises(JobEnded) as ended:
        await Gather()(attempt)
    is_told = ended.value.message is not None
    assert (ended.value.state is JobState.CANCELLED, is_told) == (
        (True, False) if state is JobState.CANCELLED else (False, True)
    )


async def test_of_several_files_with_the_same_refusal_the_first_is_refused(rig: Rig) -> None:
    clip = a_file(3)
    parts = [a_part(clip, message_id=3), *(a_part(message_id=n, refusal=REFUSAL) for n in (4, 5))]
    attempt = rig.attempt(rig.job(files=(clip,)), parts=parts)
    await Gather()(attempt)
    # It goes on with the first file, and says so.
    assert rig.responder.sent == {"refused.4": ListMessage(REFUSAL, (continues_without(2, 3),))}


async def test_a_request_of_refused_files_alone_is_over(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(prompt=""), parts=[a_part(refusal=REFUSAL)])
    with pytest.raises(JobEnded) as ended:
        await Gather()(attempt)
    assert ended.value.message is None
    assert rig.responder.keys == ["error.file_type"]


@pytest.mark.parametrize("begin", [Gather().__call__, take_all])
async def test_words_beside_refused_files_alone_can_be_run_without_them(
    rig: Rig, begin: Callable[[Attempt], Awaitable[None]]
) -> None:
    job = rig.job(prompt="make a 1 second video of a dog")
    attempt = rig.attempt(job, parts=[a_part(), *(a_part(message_id=n, refusal=REFUSAL) for n in (2, 3))])
    with pytest.raises(JobEnded):
        await begin(attempt)
    (message,) = rig.responder.sent.values()
    assert isinstance(message, LocalizedMessage)
    assert [button.action for button in message.buttons] == [RunSaved(job.id)]


@pytest.mark.parametrize(
    ("token", "is_deletable", "key"),
    [
        ("nmv_usr_tokenofmine", True, "login.file_deleted"),
        ("7000000002:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0", False, "login.file_kept"),
    ],
)
async def test_a_token_in_a_text_file_is_neither_stored_nor_sent_on(
    rig: Rig, token: str, is_deletable: bool, key: str
) -> None:
    file = a_file(2, kind="document", name="idea.txt", content_type="text/plain", message_id=2)
    rig.responder.files = {file.file_id: f"a cat, {token}".encode()}
    rig.responder.may_delete = is_deletable
    attempt = rig.attempt(rig.job(files=(file,)), parts=[a_part(file, message_id=2)])
    with pytest.raises(JobEnded) as ended:
        await Gather()(attempt)
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == key
    assert [message_id for _, message_id, _ in rig.responder.deleted] == [2]
    assert attempt.load(Gathered) is None
