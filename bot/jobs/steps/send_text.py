"""Send a text that a handler prepared."""

from bot.jobs.checkpoints import PREPARED, PROGRESS_MESSAGE, MessageSend
from bot.jobs.payloads import MessagePayload
from bot.jobs.worker.attempt import Attempt


class SendText:
    """Send the text in the payload."""

    name = "send_text"

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(MessagePayload)
        if payload.progress_message is not None:
            # The runner deletes a job's own progress message when the job ends.
            await attempt.save(MessageSend(sent=payload.progress_message), PROGRESS_MESSAGE)
        if not payload.reaction or not await attempt.responder.react(payload.reaction):
            await attempt.responder.send(PREPARED, payload.message)
