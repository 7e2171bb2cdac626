"""What a job needs beside its prompt and files: one class a kind, stored with the job."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bot.jobs.messages import LocalizedMessage


class Payload(BaseModel):
    """Base of all payloads. An unknown field of a later release is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EditPayload(Payload):
    """Of a request to the agent.

    Args:
        links: Addresses of media that NemoVideo fetches.
        is_late: Whether its files came after the request that they belong to was begun.
    """

    links: tuple[str, ...] = ()
    is_late: bool = False


class LinkPayload(Payload):
    """Of a question for the browser link.

    Args:
        opens_project: Whether a project is made where there is none.
    """

    opens_project: bool = False


class LoginPayload(Payload):
    """Of a token that somebody brought.

    Args:
        encrypted_token: The token as ``TokenCipher`` has encrypted it.
    """

    encrypted_token: str


class DeleteTokenPayload(Payload):
    """Of a message with a token in it, which must not stay in the chat.

    Args:
        message_id: The message to delete.
        deleted: What to say when it is gone; ``None`` for nothing.
        kept: What to say when it can't be deleted.
    """

    message_id: int
    deleted: LocalizedMessage | None = None
    kept: LocalizedMessage


class SkillPayload(Payload):
    """Of a look at the skill cards.

    Args:
        view: ``start``, ``list`` or ``card``.
    """

    view: str


class CancelPayload(Payload):
    """Of a request to stop a job.

    Args:
        job_id: The job to stop.
        is_silent: Whether the chat gets no answer: nobody in it asked for this.
    """

    job_id: str
    is_silent: bool = False


class ForgetPayload(Payload):
    """Of the erasure of a chat.

    Args:
        quick_job_ids: Questions that were asked before it; they are stopped.
    """

    quick_job_ids: tuple[str, ...] = ()


class SayPayload(Payload):
    """Of a text that the handler prepared.

    Args:
        message: The text.
        links: Of an edited request that the message offers to run again: its addresses of media.
        edited_job_id: The job whose request was edited; empty if the message offers none.
    """

    message: LocalizedMessage
    links: tuple[str, ...] = ()
    edited_job_id: str = ""


class AnnouncePayload(Payload):
    """Of an admin's word to all chats with running or waiting jobs.

    Args:
        message: The text.
    """

    message: LocalizedMessage


class PrivateAnswerPayload(Payload):
    """Of a look, in private, at what came of a job in a group.

    Args:
        chat: The group, as a stored ``ChatKey``.
        job_id: The job.
    """

    chat: str
    job_id: str
