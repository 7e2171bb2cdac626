"""What a job's attempts have saved, so that the next one goes on from there: a class each.

The main checkpoints by which steps hand over to each other:

====================  ===================================================  =====================================
checkpoint            saved by                                             read by
====================  ===================================================  =====================================
``Gathered``          gather                                               the sender of the job's messages
``Uploaded``          upload                                               what asks the agent, known_files
``Turn``              question                                             ask_agent and what follows a turn
``PromptSent``        ask_agent, before it sends                           turn_draft, lost_project, the runner
``AgentAnswered``     ask_agent                                            agent_answer, question, export, deliver
``PendingAnswer``     agent_answer, ask_agent, export, make_variations     deliver, the runner's last message
``RenderStarted``     export                                               export when tried again, make_extract
``Exported``          export                                               deliver, make_variations, make_extract
====================  ===================================================  =====================================


"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, TypeVar

from bot.chats.versions import ResultKind
from bot.jobs.messages import AgentMessage, LocalizedMessage, TextMessage
from bot.nemo.drafts import Draft, bounded_draft, digest, read_draft
from bot.nemo.questions import QuestionSet
from bot.store.stored_model import StoredModel

C = TypeVar("C", bound="Checkpoint")

RawDraft: TypeAlias = Any  # a draft as NemoVideo sent it; ``None`` for an empty project

NO_DRAFT = digest(None)  # the digest of an empty project
AFTER = "after"  # key of the draft after the latest turn

FILES, LINKS = "files", "links"
"""The keys of ``UploadStarted`` and ``Uploaded``: files and links go to NemoVideo in requests of their own."""


class Checkpoint(StoredModel):
    """Base of all checkpoints.

    ``name`` is what it is called in Redis, whatever the class is called. An unknown field of a later release is
    ignored, and a new field has a default.
    """

    name: ClassVar[str]
    is_shared: ClassVar[bool] = False
    """Whether all variations of a job share it, see ``Attempt.in_variation``."""


class SentMessage(StoredModel):
    """A message that is in the chat."""

    message_id: int = 0  # valid only in ``telegram_chat_id``: a supergroup has new ones; 0 if unknown
    telegram_chat_id: int = 0  # the id that the chat had in Telegram when the message was sent
    file_id: str = ""  # Telegram's handle of the video or file in it; empty if there is none
    kind: ResultKind = "video"  # what that became
    picture_id: str = ""  # Telegram's handle of its cover or thumbnail; empty if there is none


class MessageSend(Checkpoint):
    """Saved under its idempotency key right before a message is sent, and again once it is in the chat."""

    name = "message"
    is_shared = True
    newest_before: int = 0  # the highest message number known in the chat before the message was sent
    sent: SentMessage | None = None  # the message; ``None`` while it is unknown whether it was sent


PROGRESS_MESSAGE = "progress"
"""The idempotency key of a job's progress message; what announced a waiting job's position goes on as that."""


PREPARED = "prepared"
"""The idempotency key of what a handler prepared; a short text is one message, under the key ``PREPARED_MESSAGE``."""

PREPARED_MESSAGE = f"{PREPARED}.0"


class Gathered(Checkpoint):
    """Saved when a request with files was gathered: refusals are sent, text files are read."""

    name = "gathered"
    version: int = -1  # the version of the gathered job
    text_files: Mapping[str, str] = {}  # the contents of its text files, by file id
    last_message_id: int = 0  # the newest message that belongs to it


class UploadStarted(Checkpoint):
    """Saved right before a request with files (key ``FILES``) or links (key ``LINKS``)."""

    name = "upload_started"
    digest_before: str = ""  # a digest of the project's uploads then
    size_bytes: int = 0  # bytes of the files; 0 for links
    sources: tuple[str, ...] = ()  # file ids or links


class UploadAwaited(Checkpoint):
    """Saved when a person is shown where to upload a file themselves that their request needs."""

    name = "upload_awaited"
    digest_before: str = ""  # a digest of the project's uploads then
    session_id: str | None = None  # the project


class UploadUsed(Checkpoint):
    """Saved when the request has begun that needs a file uploaded in the browser: it is offered no more."""

    name = "upload_used"


class UploadedFile(StoredModel):
    """What NemoVideo said of an uploaded file."""

    name: str = ""  # the name it was uploaded under
    size_bytes: int = 0  # its size
    kind: str | None = ""  # its type as NemoVideo calls it; empty if it said nothing
    duration_s: float | None = None  # length of audio and video in seconds
    width: int | None = None  # in pixels
    height: int | None = None  # in pixels


class Uploaded(Checkpoint):
    """Saved when NemoVideo has taken files (key ``FILES``) or fetched links (key ``LINKS``)."""

    name = "uploaded"
    session_id: str | None = None  # the project that has them, so that a retry doesn't upload them twice
    size_bytes: int = 0  # bytes of all of them; 0 for links
    sources: Mapping[str, UploadedFile | None] = {}  # what is known of each, by file id or link


class Turn(Checkpoint):
    """Saved before a message that answers the agent's questions; the job's first message has no such checkpoint."""

    name = "turn"
    number: int = 1  # counts the job's messages to the agent
    prompt: str = ""  # the message; empty for the job's own prompt
    began_at: datetime | None = None  # when all answers were there, UTC; ``None`` for the first turn

    @property
    def key(self) -> str:
        """The key of the turn's other checkpoints."""
        return "" if self.number == 1 else str(self.number)


def worked_since(asked_at: datetime, checkpoints: "Checkpoints") -> datetime:
    """Return when the job last began to wait for the bot: when it was asked for, or its last question was answered.

    Args:
        asked_at: When the job was asked for.
        checkpoints: The job's.
    """
    turn = checkpoints.load(Turn)
    return asked_at if turn is None or turn.began_at is None else turn.began_at


class PromptSent(Checkpoint):
    """Saved right before the message goes out, under the turn's key; from here on it is never sent again.

    Args:
        draft_digest: Digest of the draft then; if the draft differs later, the agent worked although its answer was
            lost.
        session_id: The project that it goes to.
        credits_before: Credits that the account had then; ``None`` if unknown, or not to be shown.
        turns_before: How many turns the operator's account had begun and ended then; ``None`` for another account.
    """

    name = "agent_asked"
    draft_digest: str = NO_DRAFT
    session_id: str = ""
    credits_before: float | None = None
    turns_before: int | None = None


class AgentAnswered(Checkpoint):
    """Saved when the agent's turn is over, however it ended."""

    name = "agent_answered"
    text: str = ""  # the agent's words
    has_changed: bool = False  # whether the draft is another one than when the job's first message was sent
    still_generating: bool = False  # whether it announced a video that is not there yet
    failed: bool = False  # whether the stream ended with an error
    reason: str = ""  # what the error said
    code: int | None = None  # its code
    raw_video_announced: bool = False  # whether the chat was notified that the raw video is ready
    question_set: QuestionSet | None = None  # what the agent asked at the end, if it did
    turn: int = 1  # number of the turn
    files: int = 0  # how many files came with it, which have been sent
    credits_used: int = 0  # what it cost; 0 if that is unknown, or not to be shown
    credits_left: int = 0  # what is left then

    @property
    def is_exportable(self) -> bool:
        """Whether an export brings what was paid for, now or once it is made; asking again would be charged again."""
        return self.has_changed or self.still_generating


class KeptDraft(Checkpoint):
    """Saved with ``PromptSent``: the draft before a turn, and with ``AgentAnswered``: the one after it (key ``AFTER``).

    It leaves the store when the job ends: ``lua/drafts.lua`` knows its name.
    """

    name = "draft"
    draft: RawDraft = None

    @classmethod
    def of(cls, draft: Draft | None) -> "KeptDraft":
        """Return the checkpoint for a draft."""
        return cls(draft=None if draft is None else bounded_draft(draft))

    def read(self) -> Draft | None:
        """Return the draft; ``None`` if there was none."""
        return read_draft(self.draft) if self.draft else None


def before_turn(turn: Turn) -> str:
    """Return the key of the draft before a turn."""
    return f"before{turn.key}"


class PendingAnswer(Checkpoint):
    """Saved when the answer waits to be sent with the video, or with the reason why there is no video.

    It is deleted once the video is in the chat.
    """

    name = "held_answer"
    is_shared = True
    message: TextMessage = AgentMessage("")


class ProjectLost(Checkpoint):
    """Saved before the chat is notified that its project is gone, if it has files that can be put back."""

    name = "project_lost"
    is_shared = True
    session_id: str | None = None  # the project
    is_waiting: bool = False  # whether the request waits for a decision about the files


class QuestionAsked(Checkpoint):
    """Saved before a question is sent, under its number: the turn's and its own, such as ``1.0``."""

    name = "question_asked"
    asked_at: float = 0.0  # by the wall clock, in seconds


class QuestionAnswer(Checkpoint):
    """A person's answer to a question, under its number; saved by who takes the answer."""

    name = "question_answer"
    words: tuple[
        str, ...
    ] = ()  # the chosen labels, or the person's own words; empty if the options have none


class StepTime(StoredModel):
    """When a job took a step, in seconds by the wall clock."""

    name: str
    began_at: float
    ended_at: float | None = None


class JobProgress(Checkpoint):
    """How far a job is, for the operator. It is saved with other checkpoints, and when the job ends."""

    name = "progress"
    is_shared = True
    steps: tuple[StepTime, ...] = ()
    render_percent: int | None = None  # how much is rendered, as the service says
    ended_with: LocalizedMessage | None = None  # the message to the chat, if the job failed


class RenderStarted(Checkpoint):
    """Saved before the call that starts a render, which is found again by its id."""

    name = "render_started"
    number: int = 1
    render_id: str = ""
    began_at: float = 0.0  # by the wall clock, in seconds


class LinkReason(StrEnum):
    """Why a result is sent as a link."""

    TOO_LARGE = "too_large"  # Telegram doesn't take it
    NO_ROOM = "no_room"  # the disk has no room for it
    ELSEWHERE = "elsewhere"  # its host is not allowed


class Exported(Checkpoint):
    """Saved when the result can be sent.

    Args:
        digest: The digest of the draft it was made from.
        file_id: Telegram's id of it, if this draft was delivered before; empty otherwise.
        kind: What it was sent as then.
        link: Its address at NemoVideo, if it can't be sent; empty otherwise.
        why_link: Why only a link is sent.
        spare_link: Its address at NemoVideo, for when Telegram refuses the file; empty if unknown.
        size_bytes: Its size; ``None`` if unknown.
        is_fetched: Whether it is a file at ``responder.result_path``, or is still arriving there: that goes on in
            ``Attempt.fetching`` and ``arriving``, which no checkpoint holds.
        duration_s: Its length, if the render says so.
        took_s: Seconds from the request until now.
        as_file: Whether to send it as a file, whatever it is.
        may_shrink: Whether the chat wants a smaller version of what is too large to be sent.
        next_steps: Names of the suggestions under it.
        is_earlier: Whether it is of an earlier version of the project.
    """

    name = "exported"
    digest: str = ""
    file_id: str = ""
    kind: ResultKind = "video"
    link: str = ""
    why_link: LinkReason = LinkReason.TOO_LARGE
    spare_link: str = ""
    size_bytes: int | None = None
    is_fetched: bool = False
    duration_s: float | None = None
    took_s: float = 0.0
    as_file: bool = False
    may_shrink: bool = True
    next_steps: tuple[str, ...] = ()
    is_earlier: bool = False


class PrivateMessageKept(Checkpoint):
    """Saved when the answer to a person in a group waits until they begin a private chat."""

    name = "private_message"
    encrypted: str = ""  # the stored ``ListMessage``, encrypted: links in it are as good as the account

    @classmethod
    def use(cls, job_id: str) -> str:
        """Return what a job's message is encrypted for."""
        return f"{cls.name} {job_id}"


def field_of(checkpoint: type[Checkpoint], key: str = "") -> str:
    """Return the name under which a checkpoint is stored."""
    return f"{checkpoint.name}:{key}" if key else checkpoint.name


class Checkpoints:
    """The checkpoints of one job, as the store had them; a subclass writes what changes back."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def _own_key(self, checkpoint: type[Checkpoint], key: str) -> str:
        """Return the key under which the store has a checkpoint."""
        return key

    def _field(self, checkpoint: type[Checkpoint], key: str) -> str:
        return field_of(checkpoint, self._own_key(checkpoint, key))

    async def _write(self, values: Mapping[str, Any]) -> None:
        """Note JSON values, and write them to the store."""
        raise NotImplementedError

    def load(self, checkpoint: type[C], key: str = "") -> C | None:
        """Return what was saved, or ``None``.

        Args:
            checkpoint: The class to load.
            key: Distinguishes several of one class, such as an idempotency key.
        """
        value = self._values.get(self._field(checkpoint, key))
        return None if value is None else checkpoint.model_validate(value)

    async def save(self, checkpoint: Checkpoint, key: str = "") -> None:
        """Save a checkpoint; it is in the store when this returns."""
        await self.save_all((checkpoint, key))

    async def save_all(self, *checkpoints: tuple[Checkpoint, str]) -> None:
        """Save several checkpoints with their keys in one write."""
        await self._write(
            {self._field(type(one), key): one.model_dump(mode="json") for one, key in checkpoints}
        )

    async def replace(self, old: type[Checkpoint], checkpoint: Checkpoint) -> None:
        """Save a checkpoint and forget another one in one write."""
        await self._write(
            {
                self._field(old, ""): None,
                self._field(type(checkpoint), ""): checkpoint.model_dump(mode="json"),
            }
        )

    async def delete(self, checkpoint: type[Checkpoint], key: str = "") -> None:
        """Delete a checkpoint."""
        await self._write({self._field(checkpoint, key): None})


def may_be_exportable(saved: Checkpoints) -> bool:
    """Return whether an export may bring what the agent did: it has said so, or its answer is not known.

    Args:
        saved: The job's.
    """
    answered, turn = saved.load(AgentAnswered), saved.load(Turn) or Turn()
    if answered is not None and (answered.is_exportable or answered.turn == turn.number):
        return answered.is_exportable
    return saved.load(PromptSent, turn.key) is not None
