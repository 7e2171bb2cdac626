"""A voice message as the answer to the agent's open question."""

from bot.jobs.checkpoints import AgentAnswered, MessageSend
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, JobState
from bot.jobs.question_messages import close_questions, find_question, labels_for, message_key
from bot.jobs.queue.open_questions import AnswerOutcome
from bot.jobs.steps.ask_for_prompt import is_spoken
from bot.jobs.steps.transcribe import transcribe_first
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.transcription import Transcriber


class SpokenAnswer:
    """Answer with what is said, if speech can be transcribed; else the file goes on as any other."""

    name = "spoken_answer"

    def __init__(self, transcriber: Transcriber | None) -> None:
        self._transcriber = transcriber

    async def __call__(self, attempt: Attempt) -> None:
        job, job_queue = attempt.job, attempt.job_queue
        if self._transcriber is None or job.prompt or not is_spoken(job.files):
            return
        job_id = await job_queue.questions.job_id(job.chat)
        status = None if job_id is None else await job_queue.find(job.chat, job_id)
        question_id = None if status is None else await job_queue.questions.open_question_id(status.job)
        if status is None or question_id is None or status.job.requester_id != job.requester_id:
            return
        checkpoints = await job_queue.checkpoints(status.job)
        answered, send = (
            checkpoints.load(AgentAnswered),
            checkpoints.load(MessageSend, message_key(question_id)),
        )
        found = find_question(answered, question_id)
        # Nobody answers what they have not seen.
        if found is None or send is None or send.sent is None or (job.message_id or 0) < send.sent.message_id:
            return
        if not (text := (await transcribe_first(attempt, self._transcriber, job.files)).text):
            return
        question_set, index = found
        words = labels_for(question_set.questions[index], text) or [text[:MAX_PROMPT_CHARS]]
        outcome = await job_queue.questions.answer(status.job, question_id, words, f"spoken:{job.id}")
        if outcome is not AnswerOutcome.OVER:
            await close_questions(attempt.responder, checkpoints, answered)
            said = LocalizedMessage("voice.answered", {"text": ", ".join(words)}, quiet=True)
            raise JobEnded(said, JobState.DONE)
