"""The chat's list of projects: noted after an edit, left by /new, and opened again."""

from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.chats.chats import AccountKind, Chat, ChatFields
from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.chats.project_list import ListedProject, project_mark
from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import AFTER, AgentAnswered, KeptDraft
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import EditPayload, MessagePayload, NewPayload, OpenProjectPayload
from bot.jobs.queue.album import GatheredJob
from bot.jobs.queue.job_queue import QueueFull
from bot.jobs.queue.quotas import DailyLimit, QuotaExceeded, Quotas, QuotaWarning
from bot.jobs.steps.new_project import NewProject
from bot.jobs.steps.open_project import OpenProject
from bot.jobs.steps.save_version import SaveVersion
from bot.jobs.worker.attempt import Attempt, JobEnded
from tests.jobs.steps.conftest import Rig, a_draft, a_file, a_part, again, queue_of

ANSWERED = AgentAnswered(has_changed=True)


async def edited(rig: Rig, text: str) -> Chat:
    """Make a project in which the agent was asked for something."""
    chat = await rig.open_project(a_draft(0))
    await rig.projects.chats.update(chat.key, ChatFields(answer_session_id=chat.session_id))
    draft = (KeptDraft(draft=a_draft(0)), AFTER)
    await SaveVersion(rig.projects, rig.topics)(rig.attempt(rig.job(prompt=text), ANSWERED, draft))
    return chat


async def leave(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt=""))
    await NewProject(rig.projects, rig.topics)(attempt)


def opening(rig: Rig, chat: Chat) -> Job:
    payload = OpenProjectPayload(mark=project_mark(chat.session_id or ""))
    return rig.job(kind=JobKind.OPEN_PROJECT, payload=payload)


async def open_(rig: Rig, attempt: Attempt) -> None:
    await OpenProject(rig.projects, rig.topics)(attempt)


async def listed(rig: Rig, chat: Chat) -> ListedProject:
    project = await rig.projects.chats.project_list.find(chat.key, project_mark(chat.session_id or ""))
    assert project is not None
    return project


async def test_an_edited_project_is_named_after_its_first_request(rig: Rig) -> None:
    chat = await edited(rig, "trim it\nto 3 seconds")
    await edited(rig, "add a title")
    project = await listed(rig, chat)
    assert (project.name, project.duration_ms) == ("trim it to 3 seconds", 3000)
    assert (project.account, project.is_lost) == (AccountKind.GUEST, False)


async def test_without_an_answer_nothing_is_noted(rig: Rig) -> None:
    chat = await rig.open_project(a_draft(0))
    await SaveVersion(rig.projects, rig.topics)(rig.attempt(rig.job(prompt="trim it")))
    assert await rig.projects.chats.project_list.all(chat.key) == []


async def test_a_project_is_left_and_opened_again(rig: Rig) -> None:
    chat = await edited(rig, "trim it")
    await leave(rig)
    assert (await rig.projects.chats.get(chat.key)).session_id is None
    second = await rig.open_project()
    attempt = rig.attempt(opening(rig, chat))
    await open_(rig, attempt)
    now = await rig.projects.chats.get(chat.key)
    assert (now.session_id, now.task_id) == (chat.session_id, chat.task_id)
    opened = rig.responder.sent["opened"]
    assert isinstance(opened, ListMessage)
    assert opened.heading == LocalizedMessage("projects.opened", {"name": "trim it"})
    # The one that was left empty is no project to go back to.
    assert second.session_id not in {
        one.session_id for one in await rig.projects.chats.project_list.all(chat.key)
    }
    await open_(rig, again(attempt))
    assert await rig.projects.chats.get(chat.key) == now


async def test_a_project_that_has_but_a_file_can_be_gone_back_to(rig: Rig) -> None:
    chat = await rig.open_project()
    file = ProjectFile(
        telegram_chat_id=4711, message_id=7, session_id=chat.session_id or "", name="a.mp4", file_id="a"
    )
    await rig.projects.chats.save_project_file(chat.key, file)
    await leave(rig)
    assert (await listed(rig, chat)).session_id == chat.session_id


async def test_another_attempt_leaves_no_project_that_was_begun_since(rig: Rig) -> None:
    await edited(rig, "trim it")
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt=""))
    await NewProject(rig.projects, rig.topics)(attempt)
    later = await edited(rig, "add a title")
    rig.topics.next_id = 8
    await NewProject(rig.projects, rig.topics)(again(attempt))
    assert (await rig.projects.chats.get(later.key)).session_id == later.session_id
    assert rig.topics.names == {}


async def test_what_the_agent_asked_goes_with_the_project_that_is_left(rig: Rig) -> None:
    chat = await edited(rig, "trim it")
    opened, begun = rig.attempt(opening(rig, chat)), rig.attempt(rig.job(kind=JobKind.NEW, prompt=""))
    for attempt in (opened, begun):
        queue_of(attempt).questions.asking = "asking"
    await open_(rig, opened)
    await NewProject(rig.projects, rig.topics)(begun)
    assert queue_of(opened).cancelled == queue_of(begun).cancelled == ["asking"]


async def test_a_project_that_is_not_listed_is_said_to_be_gone(rig: Rig) -> None:
    chat = await rig.open_project(a_draft(0))
    with pytest.raises(JobEnded) as ended:
        await open_(rig, rig.attempt(opening(rig, chat)))
    assert ended.value.message == LocalizedMessage("projects.gone")
    assert (await rig.projects.chats.get(chat.key)).session_id == chat.session_id


async def test_a_project_that_nemovideo_lost_is_marked(rig: Rig) -> None:
    chat = await edited(rig, "trim it")
    await leave(rig)
    await rig.nemo.fault("state", code=1002)
    with pytest.raises(JobEnded) as ended:
        await open_(rig, rig.attempt(opening(rig, chat)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "lost.no_files"
    assert (await listed(rig, chat)).is_lost
    # It may come back: what can be read is not lost.
    await open_(rig, rig.attempt(opening(rig, chat)))
    assert not (await listed(rig, chat)).is_lost


async def test_a_project_of_another_account_is_not_opened(rig: Rig) -> None:
    chat = await edited(rig, "trim it")
    account = await rig.nemo.add_account()
    await rig.projects.accounts.set_own_token(chat.key, account.token)
    with pytest.raises(JobEnded) as ended:
        await open_(rig, rig.attempt(opening(rig, chat)))
    # It isn't gone: its own account still has it.
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.params["what"] == LocalizedMessage("lost.other_account")
    assert (await rig.projects.chats.get(chat.key)).session_id is None
    await rig.projects.accounts.clear_own_token(chat.key)


def in_topic(topic_id: int | None, rig: Rig, **fields: Any) -> Job:
    return rig.job(chat=ChatKey(4711, topic_id), **fields)


def said_elsewhere(attempt: Attempt) -> list[tuple[int | None, str]]:
    """What was said in other topics, each with its key."""
    jobs = queue_of(attempt).enqueued.values()
    payloads = [(job, job.payload_as(MessagePayload).message) for job in jobs]
    return [(job.chat.topic_id, said.key) for job, said in payloads if isinstance(said, LocalizedMessage)]


async def test_a_new_project_gets_a_topic_and_the_one_before_stays(rig: Rig) -> None:
    rig.topics.next_id = 8
    chat = await edited(rig, "trim it")
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt=""))
    await NewProject(rig.projects, rig.topics)(attempt)
    rig.topics.next_id = 9
    await NewProject(rig.projects, rig.topics)(again(attempt))
    assert rig.topics.names == {8: "New project"}
    assert said_elsewhere(attempt) == [(8, "new.done")]
    assert rig.responder.keys == ["new.topic"]
    assert (await rig.projects.chats.get(chat.key)).session_id == chat.session_id
    # An empty one needs no other topic.
    empty = rig.attempt(in_topic(8, rig, kind=JobKind.NEW, prompt=""))
    await NewProject(rig.projects, rig.topics)(empty)
    assert list(rig.topics.names) == [8]


async def test_what_came_with_new_is_asked_once_in_its_topic(rig: Rig) -> None:
    rig.topics.next_id = 8
    await edited(rig, "trim it")
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt="a cat", payload=NewPayload(links=("l",))))
    await NewProject(rig.projects, rig.topics)(attempt)
    await NewProject(rig.projects, rig.topics)(again(attempt))
    (edit,) = queue_of(attempt).enqueued.values()
    assert (edit.kind, edit.chat.topic_id, edit.prompt) == (JobKind.EDIT, 8, "a cat")
    assert (edit.message_id, edit.payload_as(EditPayload).links) == (None, ("l",))


@pytest.mark.parametrize("what", ["files", "payload"])
async def test_a_file_or_a_link_alone_is_a_request_too(rig: Rig, what: str) -> None:
    given: dict[str, Any] = {"files": (a_file(),), "payload": NewPayload(links=("l",))}
    attempt = rig.attempt(rig.job(**{"kind": JobKind.NEW, "prompt": "", what: given[what]}))
    await NewProject(rig.projects, rig.topics)(attempt)
    (edit,) = queue_of(attempt).enqueued.values()
    assert (edit.kind, edit.message_id) == (JobKind.EDIT, attempt.job.message_id)
    assert rig.responder.keys == ["new.begun"]


async def test_what_joins_new_while_it_begins_comes_to_its_topic(rig: Rig) -> None:
    rig.topics.next_id = 8
    await edited(rig, "trim it")
    attempt = rig.attempt(
        rig.job(kind=JobKind.NEW, prompt="make a montage", payload=NewPayload()), parts=[a_part()]
    )
    queue, clip = queue_of(attempt), a_file()
    forwarded = replace(attempt.job, files=(clip,), payload=NewPayload(text_not_asked_for="Buy now"))
    queue.joins = [GatheredJob(forwarded, (a_part(), a_part(clip)), version=2)]
    await NewProject(rig.projects, rig.topics)(attempt)
    (edit,) = queue.enqueued.values()
    assert (edit.chat.topic_id, edit.prompt, edit.files) == (8, "make a montage", (clip,))
    assert edit.payload_as(EditPayload).text_not_asked_for == "Buy now"
    assert queue.closed_at == 2


async def test_a_new_project_whose_request_waits_behind_it_begins_here(rig: Rig) -> None:
    rig.topics.next_id = 8
    await edited(rig, "trim it")
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt="", payload=NewPayload(is_followed=True)))
    await NewProject(rig.projects, rig.topics)(attempt)
    assert (rig.topics.names, rig.responder.keys) == ({}, ["new.begun"])
    assert queue_of(attempt).enqueued == {}


@pytest.mark.parametrize(
    ("refused", "keys"),
    [
        pytest.param(QueueFull(), ["new.held"], id="too much waits"),
        pytest.param(
            QuotaExceeded(QuotaWarning("person", "requests", 0)),
            ["quota.over_jobs_person", "new.held_until_reset"],
            id="the day's limit",
        ),
    ],
)
async def test_a_request_for_which_there_is_no_room_is_offered_in_its_topic(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, refused: Exception, keys: list[str]
) -> None:
    rig.topics.next_id = 8
    await edited(rig, "trim it")
    links, files = ("https://media.example/a.mp4",), (a_file(),)
    job = rig.job(kind=JobKind.NEW, prompt="a cat", files=files, payload=NewPayload(links=links))
    attempt = rig.attempt(job)
    queue = queue_of(attempt)
    enqueue = queue.enqueue

    async def refuse_edits(jobs: list[Job], mark: str) -> bool:
        if jobs[0].kind is JobKind.EDIT:
            raise refused
        return await enqueue(jobs, mark)

    monkeypatch.setattr(queue, "enqueue", refuse_edits)
    quotas = Quotas(rig.clock, DailyLimit(5), DailyLimit(5))
    monkeypatch.setattr(queue, "quotas", quotas, raising=False)
    await NewProject(rig.projects, rig.topics)(attempt)
    (held,) = queue.enqueued.values()
    assert isinstance(held.payload, MessagePayload)
    assert (held.chat.topic_id, held.payload.links, held.files) == (8, links, files)
    message = held.payload.message
    said = [message] if isinstance(message, LocalizedMessage) else [message.heading, *message.lines]
    assert [one.key for one in said] == keys
    assert (held.prompt, [one.action for one in message.buttons]) == ("a cat", [RunSaved(held.id)])


async def test_a_request_that_cannot_even_be_kept_is_to_be_sent_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.NEW, prompt="a cat"))
    monkeypatch.setattr(queue_of(attempt), "enqueue", AsyncMock(side_effect=QueueFull))
    await NewProject(rig.projects, rig.topics)(attempt)
    assert rig.responder.keys == ["new.begun", "error.queue_full"]


@pytest.mark.parametrize("takes_name", [True, False])
async def test_a_topic_that_nobody_named_gets_the_projects_name(rig: Rig, *, takes_name: bool) -> None:
    rig.topics.names, key = {8: "New project"}, ChatKey(4711, 8)
    project = await rig.projects.open(in_topic(8, rig))
    await rig.projects.chats.update(key, ChatFields(takes_name=takes_name))
    for text in ("trim it", "add a title"):
        await SaveVersion(rig.projects, rig.topics)(rig.attempt(in_topic(8, rig, prompt=text), ANSWERED))
    assert rig.topics.names == {8: "trim it" if takes_name else "New project"}
    (listed,) = await rig.projects.chats.project_list.all(ChatKey(4711))
    assert (listed.session_id, listed.topic_id) == (project.session_id, 8)


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_project_is_opened_in_its_topic_if_that_is_still_there(rig: Rig, *, is_there: bool) -> None:
    rig.topics.names = {8: "any"} if is_there else {}
    project = await rig.projects.open(in_topic(8, rig))
    await SaveVersion(rig.projects, rig.topics)(rig.attempt(in_topic(8, rig, prompt="trim it"), ANSWERED))
    mark = project_mark(project.session_id)
    attempt = rig.attempt(rig.job(kind=JobKind.OPEN_PROJECT, payload=OpenProjectPayload(mark=mark)))
    await open_(rig, attempt)
    here = (await rig.projects.chats.get(ChatKey(4711))).session_id
    if is_there:
        assert (here, rig.topics.names) == (None, {8: "trim it"})
        assert said_elsewhere(attempt) == [(8, "projects.here")]
        assert rig.responder.keys == ["projects.in_topic"]
    else:
        assert (here, said_elsewhere(attempt)) == (project.session_id, [])
        (moved,) = await rig.projects.chats.project_list.all(ChatKey(4711, 8))
        assert moved.topic_id is None
