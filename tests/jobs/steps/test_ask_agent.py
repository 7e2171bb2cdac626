import pytest

from bot.jobs.checkpoints import AgentAnswered, AgentAsked
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.steps.ask_agent import AskAgent, TurnLimits
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.scripts import Script
from tests.jobs.steps.conftest import Rig, a_draft, again

VIDEO, AUDIO, TEXT = 0, 1, 7
LIMITS = TurnLimits(recovery_first_s=1, recovery_every_s=1, recovery_readings=3)


async def ask(rig: Rig, attempt: Attempt) -> str:
    """Take the step; return the key of the message that it ended the job with, if it did."""
    try:
        await AskAgent(rig.projects, LIMITS, rig.cards)(attempt)
    except JobEnded as end:
        return end.message.key if isinstance(end.message, LocalizedMessage) else type(end.message).__name__
    return ""


async def test_a_prompt_is_sent_once_however_often_the_job_starts(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    attempt = rig.attempt(rig.job(text='add a title "Hello"'))
    await ask(rig, attempt)
    await ask(rig, again(attempt))
    assert [message.text for message in await rig.nemo.messages()] == ['add a title "Hello"']
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert not answered.failed
    assert answered.draft_before != answered.draft_after
    assert isinstance(rig.responder.sent["answer"], AgentMessage)


async def test_without_words_nothing_is_asked(rig: Rig) -> None:
    assert await ask(rig, rig.attempt(rig.job(text=""))) == ""
    assert await rig.nemo.messages() == []


async def test_an_attempt_that_died_while_asking_finds_what_the_agent_did(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO, TEXT))
    attempt = rig.attempt(rig.job(text="add a title"), AgentAsked(draft_before=a_draft(VIDEO)))
    await ask(rig, attempt)
    assert await rig.nemo.messages() == []
    message = rig.responder.sent["answer"]
    assert isinstance(message, ListMessage)
    assert message.heading.key == "answer.silent_edit"


async def test_an_answer_that_is_lost_ends_the_job_with_a_retry(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(scripts.cut_before_work())
    assert await ask(rig, rig.attempt(rig.job(text="trim it"))) == "error.stream_lost"
    assert len(await rig.nemo.messages()) == 1


@pytest.mark.parametrize("code", [1002, 401, 429])
@pytest.mark.parametrize(
    "work",
    [
        [{"text": "I begin."}],
        [{"tool": {"name": "trim_clip", "args": {}, "result": {"status": "ok"}}}],
    ],
    ids=["words", "tool"],
)
async def test_an_error_after_the_agent_began_to_work_sends_no_second_message(
    rig: Rig, work: Script, code: int
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*work, *scripts.coded_error(code, "not now")])
    assert await ask(rig, rig.attempt(rig.job(text="trim it")))  # The chat is told of the error.
    # It was paid for: a second message would be paid again.
    assert len(await rig.nemo.messages()) == 1
    if "text" in work[0]:
        assert rig.responder.sent["answer"] == AgentMessage("I begin.")


async def test_a_refusal_before_any_event_is_repaired_and_sent_again(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(scripts.coded_error(1002, "no such session"))
    assert await ask(rig, rig.attempt(rig.job(text="trim it"))) == ""
    assert len(await rig.nemo.messages()) == 2
    assert rig.responder.sent["session_gone"] == LocalizedMessage("error.session_gone")


async def test_only_extras_that_were_not_there_before_can_be_removed(rig: Rig) -> None:
    attempt = rig.attempt(
        rig.job(text="a cat"),
        AgentAnswered(
            text="Done.",
            draft_before=a_draft(AUDIO),
            draft_after=a_draft(VIDEO, AUDIO, TEXT),
            raw_video_announced=True,
        ),
    )
    await rig.open_project()
    await ask(rig, attempt)
    extras = rig.responder.sent["extras"]
    assert isinstance(extras, ListMessage)
    labels = [button.label for button in extras.buttons if isinstance(button, Button)]
    assert labels == ["button.keep", "button.strip_text"]
