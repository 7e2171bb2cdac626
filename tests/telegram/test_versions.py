"""The buttons of versions: which job each asks for, and which presses are refused."""

from datetime import UTC, datetime

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.chats.project_list import project_mark
from bot.chats.versions import Version, pack_draft
from bot.jobs.model import JobKind
from bot.jobs.payloads import ComparePayload, EditPayload, ExportPayload
from bot.nemo.drafts import read_draft
from bot.words import Words
from tests.telegram.test_group_life import said
from tests.telegram.test_handlers import ANN, PRIVATE, Received, docket, message, press, received

__all__ = ["docket", "received"]  # fixtures

KEY, MARK = ChatKey(PRIVATE["id"]), project_mark("session")


async def a_project(received: Received) -> None:
    """Let the chat have a project with three versions."""
    await received.chats.update(KEY, ChatFields(session_id="session"))
    for number in (1, 2, 3):
        draft = read_draft({"t": [{"tt": 0, "sg": [{"name": "sea.mp4"}]}], "d": 1000 * number})
        version = Version(
            number=1,
            job_id=str(number),
            made_at=datetime.now(UTC),
            draft_digest=draft.digest(),
            packed_draft=pack_draft(draft),
        )
        await received.chats.versions.add(KEY, MARK, version)


async def test_going_back_is_a_request_that_says_to_what(received: Received) -> None:
    await a_project(received)
    for number, key in ((2, "prompt.undo"), (1, "prompt.restore_version")):
        (job,) = await received(press(f"1:restore_version:{MARK}:{number}", ANN, PRIVATE))
        payload = job.payload_as(EditPayload)
        assert (job.kind, payload.version, payload.project) == (JobKind.EDIT, number, MARK)
        assert job.prompt.startswith(Words("en").plain(key))
        assert "sea.mp4" in job.prompt
    assert await received(press(f"1:restore_version:{MARK}:1", ANN, PRIVATE)) == []  # Pressed twice.


async def test_a_project_that_was_left_is_not_changed(received: Received) -> None:
    await a_project(received)
    await received.chats.update(KEY, ChatFields(session_id="another"))
    for data in ("restore_version", "version"):
        assert await received(press(f"1:{data}:{MARK}:1", ANN, PRIVATE)) == []
        assert await received.toast() == Words("en").plain("versions.other_project")


async def test_nobody_pays_for_going_back_to_the_present_version(received: Received) -> None:
    await a_project(received)
    assert await received(press(f"1:restore_version:{MARK}:3", ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("versions.is_current", version="v3")


async def test_variations_that_nobody_was_offered_are_not_made(received: Received) -> None:
    await a_project(received)
    assert await received(press("1:make_variations:music", ANN, PRIVATE)) == []
    assert await received.toast() == Words("en").plain("toast.old_button")


async def test_a_version_without_a_video_is_rendered(received: Received) -> None:
    await a_project(received)
    (job,) = await received(press(f"1:version:{MARK}:1", ANN, PRIVATE))
    assert (job.kind, job.payload) == (JobKind.EXPORT, ExportPayload(version=1, project=MARK))
    (compared,) = await received(press(f"1:compare:{MARK}:1", ANN, PRIVATE))
    assert (compared.kind, compared.payload) == (JobKind.COMPARE, ComparePayload(number=1, project=MARK))


async def test_what_is_not_stored_any_more_is_said_to_be_gone(received: Received) -> None:
    for data in (f"version:{MARK}:1", f"restore_version:{MARK}:x", f"compare:{MARK}:-1"):
        assert await received(press(f"1:{data}", ANN, PRIVATE)) == []
        assert await received.toast() == Words("en").plain("versions.gone"), data
    (history,) = await received(message("/history", PRIVATE, **{"from": ANN}))
    assert said(history.payload) == "versions.none"
