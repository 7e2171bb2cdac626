"""A voice message, or a long text that arrives in parts, as the answer to the agent's open question."""

from bot.jobs.checkpoints import AgentAnswered, Checkpoint, MessageSend
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.question_messages import find_question, labels_for, message_key
from bot.jobs.queue.open_questions import AnswerOutcome
from bot.jobs.steps.ask_for_prompt import is_spoken
from bot.jobs.steps.gather import take_all
from bot.jobs.steps.transcribe import transcribe_first
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.transcription import Transcriber


class SpokenWords(Checkpoint):
    """Saved right before they answer a question, which isn't open any more for an attempt that comes after."""

    name = "spoken_words"
    job_id: str = ""  # the job that asks
    question_id: str = ""
    words: tuple[str, ...] = ()


class SpokenAnswer:
    """Answer with what is said, if speech can be transcribed, or with a long text; else both go on as any other."""

    name = "spoken_answer"

    def __init__(self, transcriber: Transcriber | None) -> None:
        self._transcriber = transcriber

    async def __call__(self, attempt: Attempt) -> None:
        job, job_queue = attempt.job, attempt.job_queue
        spoken = attempt.load(SpokenWords) or await self._transcribe(attempt)
        status = None if spoken is None else await job_queue.find(job.chat, spoken.job_id)
        if spoken is None or status is None:
            return
        outcome = await job_queue.questions.answer(
            status.job, spoken.question_id, spoken.words, f"spoken:{job.id}"
        )
        if outcome is AnswerOutcome.OVER:
            return
        send = await job_queue.load_checkpoint(status.job, MessageSend, message_key(spoken.question_id))
        if send is not None and send.sent is not None:
            question = send.sent
            await attempt.responder.delete_message(
                question.telegram_chat_id, question.message_id, only_buttons=True
            )
        if job.payload_as(EditPayload).answers_question:
            raise JobEnded(None, JobState.DONE)
        said = LocalizedMessage("voice.answered", {"text": ", ".join(spoken.words)}, quiet=True)
        raise JobEnded(said, JobState.DONE)

    async def _transcribe(self, attempt: Attempt) -> SpokenWords | None:
        """Save and return what is said to the open question; ``None`` if it is no answer to one."""
        job, job_queue = attempt.job, attempt.job_queue
        is_text = job.payload_as(EditPayload).answers_question
        if not is_text and (self._transcriber is None or job.prompt or not is_spoken(job.files)):
            return None
        job_id = await job_queue.questions.asking_job_id(job.chat)
        status = None if job_id is None else await job_queue.find(job.chat, job_id)
        question_id = None if status is None else await job_queue.questions.open_question_id(status.job)
        if status is None or question_id is None or status.job.requester_id != job.requester_id:
            return None
        checkpoints = await job_queue.checkpoints(status.job)
        send = checkpoints.load(MessageSend, message_key(question_id))
        found = find_question(checkpoints.load(AgentAnswered), question_id)
        # Nobody answers what they have not seen.
        if found is None or send is None or send.sent is None or (job.message_id or 0) < send.sent.message_id:
            return None
        if is_text:
            await take_all(attempt)
            text = attempt.job.prompt
        elif self._transcriber is not None:
            text = (await transcribe_first(attempt, self._transcriber, job.files)).text
        if not text:
            return None
        question_set, index = found
        words = labels_for(question_set.questions[index], text) or [text[:MAX_PROMPT_CHARS]]
        spoken = SpokenWords(job_id=status.job.id, question_id=question_id, words=tuple(words))
        await attempt.save(spoken)
        return spoken
