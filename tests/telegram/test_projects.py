"""The list of projects: a project is shown with its latest video, and what is shown after that is a text again."""

from datetime import UTC, datetime

import pytest

from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject, project_mark
from bot.chats.versions import Version
from bot.jobs.buttons import DeleteProject, ListProjects, ShowProject, pack
from bot.jobs.model import JobKind
from tests.telegram.test_channel_posts import pressed
from tests.telegram.test_group_life import said
from tests.telegram.test_handlers import ANN, PRIVATE, Received, docket, press, received

__all__ = ["docket", "received"]  # fixtures

KEY, NOW, MARK = ChatKey(PRIVATE["id"]), datetime.now(UTC), project_mark("session")


async def a_project(received: Received, *file_ids: str) -> None:
    """Let the chat have a project, with versions that have these videos."""
    await received.chats.project_list.save(KEY, ListedProject(session_id="session", name="Sea", used_at=NOW))
    for number, file_id in enumerate(file_ids, 1):
        made = Version(number=1, job_id=f"{number}", made_at=NOW, draft_digest="d", file_id=file_id)
        await received.chats.versions.add(KEY, MARK, made)


async def edits(received: Received) -> list[str]:
    """Return the methods by which messages were edited, whatever became of them."""
    calls = await received.telegram.people.calls("editMessageText", "editMessageMedia", state=["ok", "error"])
    return [call["method"] for call in calls]


@pytest.mark.parametrize(
    ("file_ids", "expected"),
    [(["first", "second", ""], "editMessageMedia"), ([""], "editMessageText"), ([], "editMessageText")],
)
async def test_a_project_is_shown_with_its_latest_video(
    received: Received, file_ids: list[str], expected: str
) -> None:
    await a_project(received, *file_ids)
    assert await received(press(pack(ShowProject(MARK)), ANN, PRIVATE)) == []
    (first, *others) = await edits(received)
    # The stand-in has no such video, so that its words are shown.
    assert (first, others) == (expected, ["editMessageText"] if "second" in file_ids else [])
    if others:
        (call, *_) = await received.telegram.people.calls("editMessageMedia", state=["error"])
        assert "second" in str(call["params"]["media"])


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ListProjects("1"), "projects.heading"),
        (DeleteProject(is_sure=False, mark=MARK), "projects.delete"),
        (DeleteProject(is_sure=True, mark=MARK), "projects.none"),
    ],
)
async def test_below_a_video_a_text_is_a_message_of_its_own(
    received: Received, action: ListProjects | DeleteProject, expected: str
) -> None:
    await a_project(received, "first")
    (job,) = await received(pressed(pack(action)))
    assert (job.kind, said(job.payload)) == (JobKind.MESSAGE, expected)
    assert await edits(received) == []
    cleared = await received.telegram.people.calls("editMessageReplyMarkup", state=["ok", "error"])
    assert len(cleared) == 1
