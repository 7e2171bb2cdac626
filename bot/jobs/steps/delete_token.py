"""Delete a message that holds an API token."""

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.payloads import DeleteTokenPayload
from bot.jobs.worker.attempt import Attempt


class TokenDeleted(Checkpoint):
    """Saved after the message was deleted, or could not be."""

    name = "token_deleted"
    is_deleted: bool = False  # whether it is gone


class DeleteToken:
    """Delete the message, and say so where that can't be done."""

    name = "delete_token"

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(DeleteTokenPayload)
        saved = attempt.load(TokenDeleted)
        if saved is None:
            is_deleted = await attempt.responder.delete_message(
                attempt.job.telegram_chat_id, payload.message_id, only_buttons=False
            )
            saved = TokenDeleted(is_deleted=is_deleted)
            await attempt.save(saved)
        message = payload.deleted if saved.is_deleted else payload.kept
        if message is not None:
            await attempt.responder.send("token_deleted", message)
