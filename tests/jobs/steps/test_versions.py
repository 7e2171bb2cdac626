"""Versions: kept after a turn, shown under a result, rendered where the agent didn't put one back."""

from typing import Any

import pytest

from bot.chats.chats import Chat
from bot.chats.project_list import project_mark
from bot.chats.versions import Version, pack_draft
from bot.jobs.buttons import Compare, RestoreVersion, ShowVersion
from bot.jobs.checkpoints import AFTER, AgentAnswered, KeptDraft, PendingAnswer, Turn, before_turn
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.payloads import ComparePayload, EditPayload, ExportPayload
from bot.jobs.queue.continued_jobs import make_retry_job
from bot.jobs.steps.save_version import SaveVersion
from bot.jobs.steps.show_comparison import ShowComparison
from bot.jobs.versions import history_view, version_buttons
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import read_draft
from tests.jobs.steps.conftest import Rig, a_draft, again, queue_of
from tests.media.test_side_by_side import jpeg

FIRST, SECOND = a_draft(0, seconds=2), a_draft(0, 7, seconds=2)


async def a_project(rig: Rig, *drafts: Any) -> tuple[Chat, str]:
    """Make a project with a version for each draft, the last of which is the present one."""
    chat = await rig.open_project(drafts[-1])
    mark = project_mark(chat.session_id or "")
    for number, raw in enumerate(drafts, 1):
        draft = read_draft(raw)
        version = Version(
            number=1,
            job_id=f"job-{number}",
            words=f"request {number}",
            made_at=rig.clock.now(),
            draft_digest=draft.digest(),
            packed_draft=pack_draft(draft),
        )
        await rig.projects.chats.versions.add(chat.key, mark, version)
    return chat, mark


async def export(rig: Rig, attempt: Attempt) -> None:
    rig.responder.result_path.write_bytes(b"")
    await rig.export(attempt)
    await rig.deliver(attempt)


async def test_a_turn_that_changed_the_draft_is_a_version(rig: Rig) -> None:
    chat = await rig.open_project(SECOND)
    mark = project_mark(chat.session_id or "")
    attempt = rig.attempt(
        rig.job(prompt="add a\ntitle"),
        AgentAnswered(has_changed=True),
        (KeptDraft(draft=FIRST), before_turn(Turn())),
        (KeptDraft(draft=SECOND), AFTER),
    )
    for each in (attempt, again(attempt)):
        await SaveVersion(rig.projects, rig.topics)(each)
    before, made = await rig.projects.chats.versions.all(chat.key, mark)
    assert (before.number, before.words, before.draft_digest) == (0, "", read_draft(FIRST).digest())
    assert (made.number, made.words, made.draft_digest) == (1, "add a title", read_draft(SECOND).digest())
    await SaveVersion(rig.projects, rig.topics)(rig.attempt(rig.job(prompt="hello"), AgentAnswered()))
    assert len(await rig.projects.chats.versions.all(chat.key, mark)) == 2


async def test_a_result_has_buttons_for_its_versions_and_they_know_its_video(rig: Rig) -> None:
    chat, mark = await a_project(rig, FIRST, SECOND)
    await export(rig, rig.attempt(rig.job(kind=JobKind.EXPORT)))
    ((_, result),) = rig.responder.delivered
    actions = [button.action for button in result.buttons[:2]]
    assert actions == [ShowVersion(mark, "1"), RestoreVersion(mark, "1")]
    versions = await rig.projects.chats.versions.all(chat.key, mark)
    videos = [(one.file_id, one.picture_id) for one in versions]
    assert videos == [("", ""), ("file of the result", "its cover")]


async def test_an_earlier_version_is_rendered_as_it_was(rig: Rig) -> None:
    _, mark = await a_project(rig, FIRST, SECOND)
    payload = ExportPayload(version=1, project=mark)
    await export(rig, rig.attempt(rig.job(kind=JobKind.EXPORT, payload=payload)))
    ((_, result),) = rig.responder.delivered
    params = {"version": "v1", "words": "request 1", "latest": "v2"}
    assert result.answer == LocalizedMessage("versions.earlier", params)
    actions = [button.action for button in result.buttons[:2]]
    assert actions == [ShowVersion(mark, "2"), RestoreVersion(mark, "1")]


async def test_what_an_earlier_version_is_stands_below_the_answer(rig: Rig) -> None:
    _, mark = await a_project(rig, FIRST, SECOND)
    payload = ExportPayload(version=1, project=mark)
    held = PendingAnswer(message=LocalizedMessage("new.done"))
    await export(rig, rig.attempt(rig.job(kind=JobKind.EXPORT, payload=payload), held))
    ((_, result),) = rig.responder.delivered
    assert isinstance(result.answer, ListMessage)
    assert [result.answer.heading.key, *(line.key for line in result.answer.lines)] == [
        "new.done",
        "versions.earlier",
    ]


async def test_what_the_agent_put_back_is_the_present_version(rig: Rig) -> None:
    _, mark = await a_project(rig, FIRST, SECOND, FIRST)
    job = rig.job(prompt="undo", payload=EditPayload(version=1, project=mark))
    held = PendingAnswer(message=LocalizedMessage("new.done"))
    await export(rig, rig.attempt(job, AgentAnswered(has_changed=True), held))
    ((_, result),) = rig.responder.delivered
    assert result.answer == held.message


@pytest.mark.parametrize("present", [SECOND, a_draft(0, 1, seconds=2)])
async def test_what_the_agent_did_not_put_back_is_rendered(rig: Rig, present: Any) -> None:
    _, mark = await a_project(rig, FIRST, SECOND, present)
    job = rig.job(prompt="undo", payload=EditPayload(version=1, project=mark))
    await export(rig, rig.attempt(job, AgentAnswered(text="Sorry.")))
    ((_, result),) = rig.responder.delivered
    assert isinstance(result.answer, LocalizedMessage)
    assert result.answer.params["latest"] == "v3"


@pytest.mark.parametrize("payload", [{"version": 7}, {"version": 1, "project": "0123456789"}])
async def test_a_version_that_is_gone_is_not_rendered(rig: Rig, payload: dict[str, Any]) -> None:
    _, mark = await a_project(rig, FIRST, SECOND)
    asked = ExportPayload.model_validate({"project": mark, **payload})
    with pytest.raises(JobEnded) as ended:
        await export(rig, rig.attempt(rig.job(kind=JobKind.EXPORT, payload=asked)))
    assert (ended.value.message, ended.value.state) == (LocalizedMessage("versions.gone"), JobState.DONE)


async def test_a_retry_after_the_turn_shows_the_same_version(rig: Rig) -> None:
    job = rig.job(prompt="undo", payload=EditPayload(version=1, project="mark"))
    queue = queue_of(rig.attempt(job, AgentAnswered(has_changed=True)))
    retry = await make_retry_job(queue, rig.projects.chats, job, rig.clock.now())  # type: ignore[arg-type]
    assert retry is not None
    assert (retry.kind, retry.payload) == (JobKind.EXPORT, ExportPayload(version=1, project="mark"))


async def test_two_versions_are_shown_side_by_side(rig: Rig) -> None:
    chat, mark = await a_project(rig, FIRST, SECOND)
    versions = rig.projects.chats.versions
    for number, raw in enumerate((FIRST, SECOND), 1):
        digest = read_draft(raw).digest()
        await versions.save_video(chat.key, mark, digest, f"video-{number}", "video", f"cover-{number}")
    rig.responder.files = {"cover-1": jpeg(160, 90, "red"), "cover-2": jpeg(160, 90, "blue")}
    payload = ComparePayload(number=1, project=mark)
    await ShowComparison(rig.projects.chats)(rig.attempt(rig.job(kind=JobKind.COMPARE, payload=payload)))
    ((name, content_type, content),) = rig.responder.sent_files.values()
    assert (name, content_type, content[:2]) == ("v1 - v2.jpg", "image/jpeg", b"\xff\xd8")
    rig.responder.files["cover-2"] = b"GIF89a"
    with pytest.raises(JobEnded) as ended:
        await ShowComparison(rig.projects.chats)(rig.attempt(rig.job(kind=JobKind.COMPARE, payload=payload)))
    assert ended.value.message == LocalizedMessage("versions.gone")


async def test_buttons_lead_to_the_neighbours(rig: Rig) -> None:
    chat, mark = await a_project(rig, FIRST, SECOND, FIRST)
    versions = await rig.projects.chats.versions.all(chat.key, mark)
    shown = [[button.action for button in version_buttons(versions, one, mark)] for one in versions]
    show = [ShowVersion(mark, str(number)) for number in (1, 2, 3)]
    assert shown == [
        [show[1]],  # Its draft is the present one.
        [show[0], show[2], RestoreVersion(mark, "2")],
        [show[1], RestoreVersion(mark, "2")],
    ]
    undone = [*versions[:2], versions[2].model_copy(update={"restored": 1})]
    assert [button.action for button in version_buttons(undone, undone[2], mark)] == [
        show[1]
    ]  # It is at the start.
    original = versions[0].model_copy(update={"number": 0, "draft_digest": "original"})
    actions = [button.action for button in version_buttons([original, *undone], undone[2], mark)]
    assert actions == [show[1], RestoreVersion(mark, "0")]
    with_pictures = [one.model_copy(update={"picture_id": "cover"}) for one in versions]
    assert version_buttons(with_pictures, with_pictures[1], mark)[-1].action == Compare(mark, "2")
    assert history_view([], mark, rig.clock.now()) == LocalizedMessage("versions.none")
