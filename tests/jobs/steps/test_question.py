from datetime import timedelta
from typing import Any

import pytest

from bot.jobs.buttons import AnswerQuestion, Export, Retry
from bot.jobs.checkpoints import (
    AgentAnswered,
    MessageSend,
    PendingAnswer,
    PromptSent,
    QuestionAnswer,
    QuestionAsked,
    SentMessage,
    Turn,
)
from bot.jobs.messages import AgentMessage, ListMessage, LocalizedMessage
from bot.jobs.model import Job, JobKind, JobState
from bot.jobs.payloads import CancelPayload
from bot.jobs.question_messages import question_message
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.cancel_job import CancelJob
from bot.jobs.steps.question import AskNextQuestion
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.worker.attempt import Attempt, JobEnded, JobSuspended
from bot.nemo.questions import Question, QuestionSet
from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.scripts import Script
from tests.jobs.conftest import new_job
from tests.jobs.steps.conftest import Rig, a_draft, again, queue_of

LIMITS = TurnLimits(recovery_first_s=1, recovery_every_s=1, recovery_readings=3)
LOOK = Question("Which look?", ("Cinematic", "Cartoon"))
LENGTH = Question("How long?")
DAY_S = 86_400


async def ask(rig: Rig, attempt: Attempt) -> None:
    await AskAgent(rig.projects, LIMITS, rig.cards, rig.credit_limits, rig.usual_times)(attempt)


def asking(
    rig: Rig,
    *questions: Question,
    saved: tuple[Any, ...] = (),
    changed: bool = False,
    generating: bool = False,
    session_id: str = "gone",
    text: str = "",
) -> Attempt:
    """An attempt at a job whose agent has asked."""
    answered = AgentAnswered(
        text=text, question_set=QuestionSet(questions), has_changed=changed, still_generating=generating
    )
    return rig.attempt(rig.job(prompt="a promo"), PromptSent(session_id=session_id), answered, *saved)


def message(rig: Rig, key: str) -> ListMessage:
    sent = rig.responder.sent[key]
    assert isinstance(sent, ListMessage)
    return sent


@pytest.mark.parametrize("shape", ["adk", "adk_snake", "typed", "bare"])
async def test_a_question_waits_for_its_answer_which_is_the_next_message(rig: Rig, shape: Any) -> None:
    await rig.open_project()
    await rig.nemo.script([{"text": "One thing:"}, *scripts.ask(title="Details", shape=shape)])
    attempt = rig.attempt(rig.job(prompt="a promo"))
    with pytest.raises(JobSuspended):
        await ask(rig, attempt)
    assert rig.responder.sent["before_question.1"] == AgentMessage("One thing:")
    question = message(rig, "question.1.0")
    assert question.heading == LocalizedMessage("question.title", {"title": "Details"})
    job_id = attempt.job.id
    assert [(button.text, button.action) for button in question.buttons] == [
        ("Cinematic", AnswerQuestion(job_id, "1.0", "0")),
        ("Cartoon", AnswerQuestion(job_id, "1.0", "1")),
    ]
    assert queue_of(attempt).questions.asked == ["1.0"]
    await attempt.save(QuestionAnswer(words=("Cartoon",)), "1.0")
    await rig.nemo.script(scripts.silent_edit("make a 1 second video of a cup"))
    answered = again(attempt)
    await ask(rig, answered)
    assert [one.text for one in await rig.nemo.messages()] == ["a promo", "1. Which look?: Cartoon"]
    assert answered.load(PendingAnswer) is not None


async def test_questions_are_asked_one_after_another_without_connecting(rig: Rig) -> None:
    attempt = asking(rig, LOOK, LENGTH, saved=((QuestionAnswer(words=("Cartoon",)), "1.0"),))
    with pytest.raises(JobSuspended):
        await AskNextQuestion()(attempt)
    assert list(rig.responder.sent) == ["question.1.1"]
    assert message(rig, "question.1.1").buttons == ()
    await attempt.save(QuestionAnswer(words=("10 seconds",)), "1.1")
    answered = again(attempt)
    await AskNextQuestion()(answered)
    turn = answered.load(Turn)
    assert turn is not None
    assert (turn.number, turn.prompt) == (2, "1. Which look?: Cartoon\n2. How long?: 10 seconds")
    await AskNextQuestion()(again(answered))  # The turn that answers has begun: nothing is left to ask.


async def test_in_a_new_project_the_answer_brings_the_request_along(rig: Rig) -> None:
    await rig.open_project()
    await ask(rig, asking(rig, LOOK, saved=((QuestionAnswer(words=("Cartoon",)), "1.0"),)))
    assert [one.text for one in await rig.nemo.messages()] == ["a promo\n\n1. Which look?: Cartoon"]


async def test_what_changed_before_the_question_counts_as_the_jobs_change(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    attempt = asking(rig, LOOK, saved=((QuestionAnswer(words=("Cartoon",)), "1.0"),), changed=True)
    await rig.nemo.script(scripts.say("Fine as it is."))
    await ask(rig, attempt)
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.turn == 2
    assert answered.has_changed


TURN_FAILS: dict[str, Script | dict[str, Any]] = {
    "busy": {"status": 429},
    "refused": {"status": 403, "content_type": "application/json", "body": '{"error": "nope"}'},
    "no credits": {"code": 2001},
    "failed": {"status": 500, "code": 5000},
    "lost": scripts.cut_before_work(),
    "error": scripts.agent_failure(),
    "error at once": scripts.coded_error(2001),
}


@pytest.mark.parametrize("failure", TURN_FAILS)
async def test_what_changed_before_the_question_is_delivered_though_the_answer_fails(
    rig: Rig, failure: str
) -> None:
    await rig.open_project(a_draft(0))
    first = (await rig.projects.chats.get(rig.job().chat)).session_id or ""
    saved = ((QuestionAnswer(words=("Cartoon",)), "1.0"),)
    attempt = asking(rig, LOOK, saved=saved, changed=True, session_id=first, text="One thing:")
    match TURN_FAILS[failure]:
        case dict() as fault:
            await rig.nemo.fault("message", times=-1, **fault)
        case script:
            await rig.nemo.script(script)
    await ask(rig, attempt)
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert (answered.turn, answered.failed, answered.has_changed) == (2, True, True)
    assert answered.question_set is None
    held = attempt.load(
        PendingAnswer
    )  # It waits for the export. The words before the question were sent with it.
    assert held is not None
    assert "One thing:" not in repr(held.message)


async def test_a_video_that_is_made_since_before_the_question_is_not_forgotten_when_the_answer_fails(
    rig: Rig,
) -> None:
    await rig.open_project(a_draft(0))
    first = (await rig.projects.chats.get(rig.job().chat)).session_id or ""
    saved = ((QuestionAnswer(words=("Cartoon",)), "1.0"),)
    attempt = asking(rig, LOOK, saved=saved, generating=True, session_id=first)
    await rig.nemo.fault("message", times=-1, status=429)
    await ask(rig, attempt)
    answer = message(rig, "answer")
    assert answer.heading.key == "answer.may_still_come"
    assert [button.action for button in answer.buttons] == [Export()]


async def test_what_changed_in_another_project_is_not_delivered(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    attempt = asking(rig, LOOK, saved=((QuestionAnswer(words=("Cartoon",)), "1.0"),), changed=True)
    await rig.nemo.fault("message", times=-1, code=2001)
    with pytest.raises(JobEnded):
        await ask(rig, attempt)


async def test_a_question_that_its_group_does_not_take_is_not_waited_for(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    sent = MessageSend(sent=SentMessage(message_id=12, telegram_chat_id=5))
    attempt = asking(rig, LOOK, saved=((sent, "question.1.0.chat_gone.0"),), changed=True)
    await ask(rig, attempt)
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert (answered.question_set, answered.failed) == (None, True)
    assert attempt.load(PendingAnswer) is not None  # It waits for the export.


async def test_a_question_survives_a_broken_stream_and_the_end_of_the_process(rig: Rig) -> None:
    await rig.open_project()
    await rig.nemo.script([*scripts.ask(), {"cut": True}])
    attempt = rig.attempt(rig.job(prompt="a promo"))
    with pytest.raises(JobSuspended):
        await ask(rig, attempt)
    queue = queue_of(attempt)
    del queue.saved[AgentAnswered.name]  # As if the process had ended before that was saved.
    with pytest.raises(JobSuspended):
        await ask(rig, again(attempt))
    assert len(await rig.nemo.messages()) == 1


@pytest.mark.parametrize(
    ("url", "language", "prompt", "labels"),
    [
        ("https://auth.example.com/x", "en", "auth.example.com", ["", "I've signed in", "Go on without it"]),
        ("https://auth.example.com/x", "zh", "auth.example.com", ["", "已登录", "不登录，继续"]),
        ("http://auth.example.com/x", "en", "isn't possible here", ["Go on without it"]),
        ("https://10.0.0.1/x", "en", "isn't possible here", ["Go on without it"]),
        ("", "zh", "在这里做不到", ["不登录，继续"]),
    ],
)
async def test_a_login_elsewhere_is_asked_for_with_its_link_if_that_is_safe(
    rig: Rig, url: str, language: str, prompt: str, labels: list[str]
) -> None:
    await rig.open_project()
    args = {"authConfig": {"exchangedAuthCredential": {"oauth2": {"authUri": url}}}}
    call = {"functionCall": {"id": "c", "name": "adk_request_credential", "args": args}}
    await rig.nemo.script([{"json": {"content": {"parts": [call]}, "longRunningToolIds": ["c"]}}])
    with pytest.raises(JobSuspended):
        await ask(rig, rig.attempt(rig.job(prompt="post it", language=language)))
    question = message(rig, "question.1.0")
    assert prompt in str(question.heading.params["prompt"])
    assert [button.text for button in question.buttons] == labels
    assert [button.url for button in question.buttons if button.url] == [url] * (len(labels) - 1 > 1)


@pytest.mark.parametrize(
    ("language", "prompt", "options"), [("en", "wants to use", "Yes"), ("zh", "想使用", "可以")]
)
async def test_a_confirmation_is_asked_in_our_words_where_the_agent_has_none(
    rig: Rig, language: str, prompt: str, options: str
) -> None:
    await rig.open_project()
    await rig.nemo.script(scripts.confirm("generate_video"))
    attempt = rig.attempt(rig.job(prompt="a promo", language=language))
    with pytest.raises(JobSuspended):
        await ask(rig, attempt)
    question = message(rig, "question.1.0")
    assert prompt in str(question.heading.params["prompt"])
    assert question.buttons[0].text == options


@pytest.mark.parametrize("left", [{}, {"changed": True}, {"generating": True}])
async def test_a_day_ends_the_job_quietly(rig: Rig, left: dict[str, Any]) -> None:
    sent = MessageSend(sent=SentMessage(message_id=12, telegram_chat_id=4711))
    long_ago = QuestionAsked(asked_at=rig.clock.now().timestamp() - DAY_S)
    saved = ((long_ago, "1.0"), (sent, "question.1.0.0"))
    with pytest.raises(JobEnded) as ended:
        await AskNextQuestion()(asking(rig, LOOK, saved=saved, **left))
    assert ended.value.state is JobState.DONE
    assert rig.responder.deleted == [(4711, 12, True)]
    assert rig.responder.sent == {}
    if left:
        assert isinstance(ended.value.message, LocalizedMessage)
        assert ended.value.message.quiet
        assert ended.value.message.buttons
    else:
        assert ended.value.message is None


async def test_a_question_that_is_not_old_is_not_sent_again(rig: Rig) -> None:
    """An attempt died between sending it and being suspended."""
    asked = QuestionAsked(asked_at=rig.clock.now().timestamp())
    attempt = asking(rig, LOOK, saved=((asked, "1.0"),))
    with pytest.raises(JobSuspended):
        await AskNextQuestion()(attempt)
    assert queue_of(attempt).questions.asked == ["1.0"]
    assert attempt.load(QuestionAsked, "1.0") == asked


@pytest.mark.parametrize("state", [JobState.ASKING, JobState.QUEUED])  # the latter just after its answer
@pytest.mark.parametrize(
    ("left", "key"),
    [
        ({}, "question.cancelled"),
        ({"changed": True}, "question.cancelled_kept"),
        ({"generating": True}, "question.cancelled_kept"),
    ],
)
async def test_cancelling_says_what_was_kept(
    rig: Rig, left: dict[str, Any], key: str, state: JobState
) -> None:
    asked = asking(rig, LOOK, **left)
    payload = CancelPayload(job_id=asked.job.id)
    cancel = rig.attempt(rig.job(kind=JobKind.CANCEL, payload=payload, language="zh"))
    queue = queue_of(cancel)
    queue.waiting = {asked.job.id: JobStatus(asked.job, state, 0)}
    sent = MessageSend(sent=SentMessage(message_id=12, telegram_chat_id=4711))
    queue.saved = {**queue_of(asked).saved, "message:question.1.0.0": sent.model_dump(mode="json")}

    async def close_position_message(job: Job) -> None:
        # In the language that the chat has now, which it may have chosen after the request.
        assert (state, job.id, job.language) == (JobState.QUEUED, asked.job.id, "zh")

    await CancelJob(close_position_message)(cancel)
    message = rig.responder.sent["cancelled"]
    assert isinstance(message, LocalizedMessage)
    assert message.key == key
    assert bool(message.buttons) is bool(left)
    assert rig.responder.deleted == [(4711, 12, True)]


@pytest.mark.parametrize(
    ("saved", "buttons"),
    [
        ((), [Retry]),
        ((PromptSent(),), [Export, Retry]),  # What the agent did is unknown.
        ((PromptSent(), AgentAnswered(text="Hello")), [Retry]),
        ((PromptSent(), AgentAnswered(has_changed=True)), [Export, Retry]),
        ((PromptSent(), AgentAnswered(text="Hello"), Turn(number=2)), [Retry]),
        ((PromptSent(), AgentAnswered(text="Hello"), Turn(number=2), (PromptSent(), "2")), [Export, Retry]),
    ],
)
async def test_cancelling_what_runs_offers_what_the_agent_may_have_made(
    rig: Rig, saved: tuple[Any, ...], buttons: list[type[Any]]
) -> None:
    runs = rig.attempt(rig.job(prompt="a promo"), *saved)
    cancel = rig.attempt(rig.job(kind=JobKind.CANCEL, payload=CancelPayload(job_id=runs.job.id)))
    queue = queue_of(cancel)
    queue.waiting = {runs.job.id: JobStatus(runs.job, JobState.RUNNING, 0)}
    queue.saved = queue_of(runs).saved

    async def close_position_message(job: Job) -> None:
        raise AssertionError(job)

    await CancelJob(close_position_message)(cancel)
    message = rig.responder.sent["cancelled"]
    assert isinstance(message, LocalizedMessage)
    assert [type(button.action) for button in message.buttons] == buttons


@pytest.mark.parametrize(("later_s", "key"), [(1, "job.cancelled_next"), (-1, "job.cancelled")])
async def test_only_what_was_asked_for_later_comes_next(rig: Rig, later_s: int, key: str) -> None:
    stopped = rig.job(prompt="a promo")
    other = rig.job(prompt="a cat", asked_at=stopped.asked_at + timedelta(seconds=later_s))
    cancel = rig.attempt(rig.job(kind=JobKind.CANCEL, payload=CancelPayload(job_id=stopped.id)))
    queue_of(cancel).waiting = {job.id: JobStatus(job, JobState.RUNNING, 0) for job in (stopped, other)}

    async def close_position_message(job: Job) -> None:
        raise AssertionError(job)

    await CancelJob(close_position_message)(cancel)
    message = rig.responder.sent["cancelled"]
    assert isinstance(message, LocalizedMessage)
    assert message.key == key


def test_an_option_without_anything_to_see_is_shown_by_its_number() -> None:
    asked = QuestionSet((Question("Which look?", ("Calm", "\u202e\u202e", " \x00 ")),))
    message = question_message(new_job(), asked, "1.0", 0)
    assert [button.text for button in message.buttons] == ["Calm", "2", "3"]
