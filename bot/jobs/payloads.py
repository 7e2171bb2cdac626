"""What a job needs beside its prompt and files: one class for each kind, stored with the job."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AliasChoices, Field

from bot.chats.brand import BrandPart
from bot.jobs.buttons import ExtractKind, VariationAspect
from bot.jobs.checkpoints import SentMessage
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.store.stored_model import StoredModel


class Payload(StoredModel):
    """Base of all payloads. An unknown field of a later release is ignored."""


class RequestPayload(Payload):
    """Base of those that hold a request, or run one."""

    new_job_id: str = ""  # the ``/new`` that it came with: it only runs in that project


class EditPayload(RequestPayload):
    """A request to the agent."""

    links: tuple[str, ...] = ()  # links to media that NemoVideo fetches
    # Words of forwarded messages and late parts of an album, which ask for nothing by themselves.
    text_not_asked_for: str = ""
    is_late: bool = False  # whether its files came after the request that they belong to was begun
    lost_project_decided: bool = False  # whether a person decided what becomes of a lost project's files
    # Files of a lost project that are put back, or of the chat's brand: the request isn't about them. Earlier releases
    # stored them under the other name.
    supporting_file_ids: tuple[str, ...] = Field(
        default=(), validation_alias=AliasChoices("supporting_file_ids", "restored_file_ids")
    )
    needs_clip: bool = False  # whether it is an example that edits a clip
    may_use_last_credits: bool = False  # whether a person agreed to begin with too few credits
    uploads_before: str = ""  # a digest of the project's uploads before the one in the browser that it needs
    link_job_id: str = ""  # the job that showed where to upload it
    voice_job_id: str = ""  # the job with the voice message in which it is spoken
    version: int | None = None  # the version of the project that it goes back to
    project: str = ""  # that project's mark
    answers_question: bool = (
        False  # whether its words, which arrive in parts, answer the agent's open question
    )
    is_form_chosen: bool = False  # whether format and length of a clip to generate were chosen
    pressed: LocalizedMessage | None = None  # the button that sent it, with the presser's name


class NewPayload(Payload):
    """A new project; the job's words and files are the first request in it."""

    links: tuple[str, ...] = ()  # links to media in that request
    text_not_asked_for: str = ""  # as in ``EditPayload``
    is_followed: bool = False  # whether the request is the next job of the queue instead


class ExportPayload(Payload):
    """A request for the finished video."""

    output: tuple[str, ...] = ()  # the resolutions and formats that it names, such as ``4k`` and ``mov``
    version: int | None = None  # an earlier version of the project that it is about
    project: str = ""  # that project's mark


class VariationsPayload(Payload):
    """A request for versions of the project that differ in one thing."""

    aspect: VariationAspect | None = None  # in what; ``None`` while it is not chosen


class ExtractPayload(Payload):
    """A request for something else to be made of a finished video, which is the job's file."""

    kind: ExtractKind
    result_job_id: str  # the job that made the video


class PostChoice(StrEnum):
    """What is decided about a post to a channel."""

    NO_CAPTION = "plain"
    POST = "post"  # as the preview shows it
    AGAIN = "again"  # try once more what failed
    DROP = "drop"


class PostPayload(Payload):
    """A post to a channel of a finished video, which is the job's file."""

    channel_id: int = 0  # Telegram's id of the channel; 0 if it is not chosen yet
    title: str = ""  # its name
    caption: str | None = None  # as HTML; ``None`` if it was not asked for yet
    is_approved: bool = False  # whether the preview was


class LinkPayload(RequestPayload):
    """A question for the browser link, perhaps to upload the file of a request."""

    opens_project: bool = False  # whether a project is made if the chat has none
    uploads_before: str = ""  # as in ``EditPayload``, if the link was shown for the same file before


class WatchPayload(Payload):
    """A look whether a file has arrived."""

    link_job_id: str  # the job that showed where to upload it, and holds the request
    look: int  # the number of the look, from 0


class LoginPayload(Payload):
    """A NemoVideo token of the chat's own."""

    use: ClassVar[str] = "login"  # what the token is encrypted for

    encrypted_token: str


class DeleteTokenPayload(Payload):
    """A message with a token in it, which must not stay in the chat."""

    message_id: int  # the message to delete
    deleted: LocalizedMessage | None = None  # sent when it is deleted; ``None`` for nothing
    kept: LocalizedMessage  # sent when it can't be deleted


class BrandPayload(Payload):
    """A file of the chat's brand, which is the job's file."""

    part: BrandPart


class ComparePayload(Payload):
    """An earlier version of a project beside the latest one."""

    number: int = 0  # of the earlier one
    project: str = ""  # the project's mark


class OpenProjectPayload(Payload):
    """A project of the chat's list that becomes the current one."""

    mark: str = ""  # stands for the project in the list


class SkillView(StrEnum):
    """What is shown of the skill cards."""

    START = "start"  # how to begin with the active card
    LIST = "list"
    CARD = "card"  # the active card


class SkillPayload(Payload):
    """A question for the skill cards."""

    view: SkillView


class CancelPayload(Payload):
    """A request to stop a job."""

    job_id: str  # the job to stop
    is_silent: bool = False  # whether the chat gets no answer: nobody in it asked for this


class ForgetPayload(Payload):
    """The erasure of a chat."""

    quick_job_ids: tuple[str, ...] = ()  # questions that were asked before it, which are stopped
    topics: tuple[str, ...] = ()  # chat keys of topics that jobs of the same id erase first
    is_silent: bool = False  # whether the job is one of those


class MessagePayload(RequestPayload):
    """A text that the handler prepared, perhaps with a button for a request."""

    message: LocalizedMessage | ListMessage  # the text
    reaction: str = ""  # an emoji that says the same, set on the message that asked where the chat allows it
    links: tuple[str, ...] = ()  # links to media in the edited request that the message offers to run
    edited_job_id: str = ""  # the job whose request was edited; empty if the message offers none
    progress_message: SentMessage | None = None  # of a job that can't end by itself: the text takes its place


class AnnouncePayload(Payload):
    """The operator's text to all chats with running or waiting jobs."""

    message: LocalizedMessage


class PrivateAnswerPayload(Payload):
    """A question in private for the answer to a job of a group."""

    chat: str
    job_id: str
