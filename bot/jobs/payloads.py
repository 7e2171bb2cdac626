"""What a job needs beside its prompt and files: one class for each kind, stored with the job."""

from pydantic import BaseModel, ConfigDict

from bot.jobs.messages import LocalizedMessage


class Payload(BaseModel):
    """Base of all payloads. An unknown field of a later release is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EditPayload(Payload):
    """A request to the agent.

    Args:
        links: Links to media that NemoVideo fetches.
        is_late: Whether its files came after the request that they belong to was begun.
    """

    links: tuple[str, ...] = ()
    is_late: bool = False


class LinkPayload(Payload):
    """A question for the browser link.

    Args:
        opens_project: Whether a project is made if the chat has none.
    """

    opens_project: bool = False


class LoginPayload(Payload):
    """A NemoVideo token of the chat's own."""

    encrypted_token: str


class DeleteTokenPayload(Payload):
    """A message with a token in it, which must not stay in the chat.

    Args:
        message_id: The message to delete.
        deleted: Sent when it is deleted; ``None`` for nothing.
        kept: Sent when it can't be deleted.
    """

    message_id: int
    deleted: LocalizedMessage | None = None
    kept: LocalizedMessage


class SkillPayload(Payload):
    """A question for the skill cards.

    Args:
        view: ``start``, ``list`` or ``card``.
    """

    view: str


class CancelPayload(Payload):
    """A request to stop a job.

    Args:
        job_id: The job to stop.
        is_silent: Whether the chat gets no answer: nobody in it asked for this.
    """

    job_id: str
    is_silent: bool = False


class ForgetPayload(Payload):
    """The erasure of a chat.

    Args:
        quick_job_ids: Questions that were asked before it, which are stopped.
    """

    quick_job_ids: tuple[str, ...] = ()


class SayPayload(Payload):
    """A text that the handler prepared.

    Args:
        message: The text.
        links: Links to media in the edited request that the message offers to run.
        edited_job_id: The job whose request was edited; empty if the message offers none.
    """

    message: LocalizedMessage
    links: tuple[str, ...] = ()
    edited_job_id: str = ""


class AnnouncePayload(Payload):
    """The operator's text to all chats with running or waiting jobs."""

    message: LocalizedMessage


class PrivateAnswerPayload(Payload):
    """A question in private for the answer to a job of a group."""

    chat: str
    job_id: str
