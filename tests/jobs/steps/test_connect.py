import pytest

from bot.chats.chats import AccountKind
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, JobState
from bot.jobs.steps.connect import Connect, Connected
from bot.jobs.worker.attempt import JobEnded
from tests.jobs.steps.conftest import Rig


async def test_the_first_request_gets_a_project_and_a_welcome(rig: Rig) -> None:
    attempt = rig.attempt()
    await Connect(rig.projects)(attempt)
    (session,) = await rig.nemo.sessions()
    connected = attempt.load(Connected)
    assert connected is not None
    assert (connected.session_id, connected.account) == (session.id, AccountKind.GUEST)
    assert rig.responder.stages == ["setup.working", "setup.ready"]
    assert rig.responder.sent == {}


async def test_a_later_request_uses_the_same_project_without_a_word(rig: Rig) -> None:
    await rig.open_project()
    attempt = rig.attempt()
    await Connect(rig.projects)(attempt)
    assert len(await rig.nemo.sessions()) == 1
    assert rig.responder.stages == ["progress.connect"]


async def test_the_chat_is_told_when_another_account_begins_a_new_project(rig: Rig) -> None:
    before = Connected(session_id="of the operator", account=AccountKind.OPERATOR)
    attempt = rig.attempt(None, before)
    await Connect(rig.projects)(attempt)
    assert rig.responder.sent == {"new_project": LocalizedMessage("account.new_project")}


async def test_an_export_of_no_project_makes_none(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(kind=JobKind.EXPORT))
    with pytest.raises(JobEnded) as ended:
        await Connect(rig.projects)(attempt)
    assert isinstance(ended.value.message, LocalizedMessage)
    assert (ended.value.message.key, ended.value.state) == ("export.nothing_yet", JobState.DONE)
    assert await rig.nemo.accounts() == []
