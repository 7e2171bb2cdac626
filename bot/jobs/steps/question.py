"""Questions of the agent: each is sent to the chat, and the job waits for its answer without a worker."""

from bot.jobs.buttons import Export
from bot.jobs.checkpoints import (
    AgentAnswered,
    MessageSend,
    QuestionAnswer,
    QuestionAsked,
    Turn,
)
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.question_messages import (
    close_questions,
    idempotency_key,
    message_key,
    question_id_of,
    question_message,
)
from bot.jobs.worker.attempt import Attempt, JobEnded, JobSuspended
from bot.nemo.questions import QuestionSet, answer_text
from bot.store.keys import ANSWER_TTL_S
from bot.words.screen_talk import remove_screen_talk


async def ask_person(attempt: Attempt, answered: AgentAnswered, question_set: QuestionSet) -> Turn | None:
    """Ask all that the agent asked, one question after another.

    Returns:
        The agent's next turn, whose message holds the answers; ``None`` if nobody can answer: the group or its topic
        takes no messages any more, and an answer in private would belong to another chat.

    Raises:
        JobSuspended: A question waits for its answer.
        JobEnded: Nobody answered for a day.
    """
    if text := remove_screen_talk(answered.text).text.strip():
        await attempt.responder.send(f"before_question.{answered.turn}", AgentMessage(text))
    answers = []
    for index in range(len(question_set.questions)):
        question_id = question_id_of(answered, index)
        answer = attempt.load(QuestionAnswer, question_id)
        if answer is None:
            await _ask(attempt, answered, question_set, index)
            if attempt.load(MessageSend, message_key(f"{question_id}.chat_gone")) is not None:
                return None
            raise JobSuspended
        answers.append(answer.words)
    turn = Turn(
        number=answered.turn + 1,
        prompt=answer_text(question_set.questions, answers),
        began_at=attempt.clock.now(),
    )
    await attempt.save(turn)
    return turn


class AskNextQuestion:
    """Ask the next question of a job that has just got an answer, before anything else is done for it."""

    name = "next_question"

    async def __call__(self, attempt: Attempt) -> None:
        answered, turn = attempt.load(AgentAnswered), attempt.load(Turn) or Turn()
        if answered is not None and answered.question_set is not None and answered.turn == turn.number:
            await ask_person(attempt, answered, answered.question_set)


async def _ask(attempt: Attempt, answered: AgentAnswered, question_set: QuestionSet, index: int) -> None:
    """Open one question and send it; end the job if the question was opened a day ago.

    When it was asked is saved first, so that a later attempt at the job doesn't start the day again.

    Raises:
        JobEnded: Nobody answered for a day.
    """
    question_id, now_s = question_id_of(answered, index), attempt.clock.now().timestamp()
    earlier_ask = attempt.load(QuestionAsked, question_id)
    if earlier_ask is not None and now_s - earlier_ask.asked_at >= ANSWER_TTL_S:
        await close_questions(attempt.responder, attempt, answered)
        kept = None
        if answered.is_exportable:
            kept = LocalizedMessage(
                "question.expired_kept", buttons=(Button("button.export", Export()),), quiet=True
            )
        raise JobEnded(kept, JobState.DONE)
    if earlier_ask is None:
        await attempt.save(QuestionAsked(asked_at=now_s), question_id)
    await attempt.job_queue.questions.ask(attempt.job, attempt.claimed.attempt, question_id)
    message = question_message(attempt.job, question_set, question_id, index)
    await attempt.responder.send(idempotency_key(question_id), message)
