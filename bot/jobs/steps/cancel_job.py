"""Cancel another job of the chat."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.jobs.buttons import Export, Retry
from bot.jobs.checkpoints import AgentAnswered, Turn, may_be_exportable
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.payloads import CancelPayload
from bot.jobs.question_messages import close_questions
from bot.jobs.worker.attempt import Attempt


class CancelJob:
    """Cancel the job that the payload names; idempotent.

    Args:
        close_position_message: Lets the message with a waiting job's position say that the job is stopped.
    """

    name = "cancel_job"

    def __init__(self, close_position_message: Callable[[Job], Awaitable[None]]) -> None:
        self._close_position_message = close_position_message

    async def __call__(self, attempt: Attempt) -> None:
        chat, payload = attempt.job.chat, attempt.job.payload_as(CancelPayload)
        status = await attempt.job_queue.find(chat, payload.job_id)
        was = await attempt.job_queue.cancel(chat, QueueName.MAIN, payload.job_id)
        if status is not None and was in (JobState.QUEUED, JobState.CANCELLED):
            await self._close_position_message(replace(status.job, language=attempt.job.language))
        message = None
        if status is not None and was in (JobState.ASKING, JobState.QUEUED, JobState.CANCELLED):
            # One that waits may have got its answer a moment ago.
            message = await _close_question(attempt, status.job)
        if not payload.is_silent:
            message = message or await _stopped(attempt, payload.job_id)
            await attempt.responder.send("cancelled", message)


async def _stopped(attempt: Attempt, job_id: str) -> LocalizedMessage:
    """Say that a job is cancelled and what runs next, with buttons for what was made and to run it again."""
    buttons: tuple[Button, ...] = (Button("button.retry", Retry(job_id)),)
    stopped = await attempt.job_queue.find(attempt.job.chat, job_id)
    if stopped is not None and may_be_exportable(await attempt.job_queue.checkpoints(stopped.job)):
        # It is free, and asking again is charged again.
        buttons = (Button("button.export", Export()), *buttons)
    following = [
        other
        for other in await attempt.job_queue.current(attempt.job.chat, QueueName.MAIN)
        if other != job_id
    ]
    status = await attempt.job_queue.find(attempt.job.chat, following[0]) if following else None
    # One that was asked for earlier ran already.
    is_next = status is not None and (stopped is None or status.job.asked_at >= stopped.job.asked_at)
    if status is None or not is_next or not status.job.prompt:
        return LocalizedMessage("job.cancelled", buttons=buttons)
    return LocalizedMessage("job.cancelled_next", {"prompt": status.job.prompt}, buttons)


async def _close_question(attempt: Attempt, job: Job) -> LocalizedMessage | None:
    """Remove the buttons of a stopped job's question, and say what was kept; ``None`` if it asked nothing."""
    saved = await attempt.job_queue.checkpoints(job)
    answered, turn = saved.load(AgentAnswered), saved.load(Turn) or Turn()
    if answered is None or answered.question_set is None or answered.turn != turn.number:
        return None
    await close_questions(attempt.responder, saved, answered)
    if answered.is_exportable:
        return LocalizedMessage("question.cancelled_kept", buttons=(Button("button.export", Export()),))
    return LocalizedMessage("question.cancelled")
