"""A voice message answers the agent's open question where speech can be transcribed."""

from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from bot.jobs.checkpoints import AgentAnswered, MessageSend, SentMessage, field_of
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.question_messages import message_key
from bot.jobs.queue.album import GatheredJob, RequestPart
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.open_questions import AnswerOutcome
from bot.jobs.steps.spoken_answer import SpokenAnswer
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.questions import Question, QuestionSet
from tests.jobs.steps.conftest import Rig, a_file, again, queue_of
from tests.jobs.steps.test_transcribe import Ears

NUMBER, QUESTION_ID, VOICE_ID = "1.0", 5, 6


def spoken(rig: Rig, **fields: object) -> Attempt:
    """Begin an attempt at a voice message below an open question with the options A and B."""
    rig.responder.files = {"file-1": b"sound"}
    given = {"files": (a_file(1, kind="voice"),), "message_id": VOICE_ID, "prompt": ""}
    attempt = rig.attempt(rig.job(**given | fields))
    queue = queue_of(attempt)
    asking = replace(rig.job(), id="0123456789abcdef")
    queue.waiting[asking.id] = JobStatus(asking, JobState.ASKING, position=0)
    queue.questions.asking, queue.questions.asked = asking.id, [NUMBER]
    asked = QuestionSet((Question("Which?", options=("Cinematic", "Cartoon")),))
    sent = SentMessage(message_id=QUESTION_ID, telegram_chat_id=asking.telegram_chat_id)
    queue.saved |= {
        field_of(AgentAnswered): AgentAnswered(turn=1, question_set=asked).model_dump(mode="json"),
        field_of(MessageSend, message_key(NUMBER)): MessageSend(sent=sent).model_dump(mode="json"),
    }
    return attempt


@pytest.mark.parametrize(
    ("said", "words"), [("cartoon.", "Cartoon"), ("number one", "number one"), ("Neither", "Neither")]
)
async def test_what_is_said_is_the_answer(rig: Rig, said: str, words: str) -> None:
    attempt = spoken(rig)
    with pytest.raises(JobEnded) as end:
        await SpokenAnswer(Ears(said))(attempt)
    assert end.value.state is JobState.DONE
    assert isinstance(end.value.message, LocalizedMessage)
    assert (end.value.message.key, end.value.message.params) == ("voice.answered", {"text": words})
    assert queue_of(attempt).questions.answers == [("0123456789abcdef", NUMBER, [words])]
    assert [message_id for _, message_id, _ in rig.responder.deleted] == [QUESTION_ID]


async def test_of_a_long_speech_as_much_is_the_answer_as_a_request_may_have(rig: Rig) -> None:
    attempt = spoken(rig)
    with pytest.raises(JobEnded):
        await SpokenAnswer(Ears("a" * (MAX_PROMPT_CHARS + 1)))(attempt)
    ((_, _, (words,)),) = queue_of(attempt).questions.answers
    assert len(words) == MAX_PROMPT_CHARS


@pytest.mark.parametrize("requester_id", [None, 4242])
async def test_a_long_text_is_the_answer_once_all_of_it_has_arrived(
    rig: Rig, requester_id: int | None
) -> None:
    fields = {} if requester_id is None else {"requester_id": requester_id}
    attempt = spoken(rig, files=(), prompt="Once upon", payload=EditPayload(answers_question=True), **fields)
    queue = queue_of(attempt)
    begun = GatheredJob(attempt.job, (RequestPart(VOICE_ID, 0, glue=""),), version=1)
    whole = replace(begun, job=replace(attempt.job, prompt="Once upon a time"), version=2)
    attempt.claimed = replace(attempt.claimed, gathered=begun)
    queue.gathered_job, queue.joins = begun, [whole, whole]
    if requester_id is not None:
        await SpokenAnswer(None)(attempt)  # It goes on as a request.
        assert queue.questions.answers == []
        return
    with pytest.raises(JobEnded) as end:
        await SpokenAnswer(None)(attempt)
    assert (end.value.message, end.value.state) == (None, JobState.DONE)
    assert queue.questions.answers == [("0123456789abcdef", NUMBER, ["Once upon a time"])]
    assert [message_id for _, message_id, _ in rig.responder.deleted] == [QUESTION_ID]


async def test_what_is_said_after_another_answer_goes_on_as_a_file(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = spoken(rig)
    monkeypatch.setattr(queue_of(attempt).questions, "answer", AsyncMock(return_value=AnswerOutcome.OVER))
    await SpokenAnswer(Ears("Cartoon"))(attempt)
    assert (rig.responder.sent, rig.responder.deleted) == ({}, [])


@pytest.mark.parametrize(
    "case", ["no endpoint", "silence", "words", "a photo", "another person", "before it", "not shown yet"]
)
async def test_everything_else_goes_on_as_a_file(rig: Rig, case: str) -> None:
    cases: dict[str, dict[str, object]] = {
        "words": {"prompt": "trim it"},
        "a photo": {"files": (a_file(1, kind="photo"),)},
        "another person": {"requester_id": 4242},
        "before it": {"message_id": QUESTION_ID - 1},
    }
    attempt = spoken(rig, **cases.get(case, {}))
    if case == "not shown yet":
        not_sent = MessageSend(newest_before=QUESTION_ID - 1)
        queue_of(attempt).saved[field_of(MessageSend, message_key(NUMBER))] = not_sent.model_dump(mode="json")
    await SpokenAnswer(None if case == "no endpoint" else Ears("" if case == "silence" else "A"))(attempt)
    assert queue_of(attempt).questions.answers == []


async def test_an_attempt_that_died_after_its_answer_ends_as_answered(rig: Rig) -> None:
    attempt = spoken(rig)
    with pytest.raises(JobEnded):
        await SpokenAnswer(Ears("cartoon"))(attempt)
    queue = queue_of(attempt)
    queue.questions.asking, queue.questions.asked = None, []  # The job that asked goes on.
    rig.responder.deleted.clear()
    with pytest.raises(JobEnded) as end:
        await SpokenAnswer(Ears("something else"))(again(attempt))
    assert end.value.message == LocalizedMessage("voice.answered", {"text": "Cartoon"}, quiet=True)
    assert [message_id for _, message_id, _ in rig.responder.deleted] == [QUESTION_ID]
