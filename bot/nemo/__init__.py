"""The NemoVideo API, as a library of its own: it needs an ``httpx.AsyncClient``, nothing of this program.

``client`` makes the calls, ``events`` are what the agent says while it works, ``turns`` puts its answer
together, ``drafts`` reads timelines, ``changes`` compares them, ``errors`` has all that may be raised.
"""

from bot.nemo.answers import (
    AnonymousToken,
    ClaimToken,
    Credits,
    Session,
    State,
    Upload,
    UploadedFile,
    claim_link,
    register_link,
)
from bot.nemo.changes import Change, compare
from bot.nemo.client import Download, NemoClient
from bot.nemo.drafts import Draft, Kind, Segment, Track, read_draft
from bot.nemo.errors import (
    AuthError,
    ClientIdMissing,
    ExportNotInPlan,
    FileTooLarge,
    FileTypeRefused,
    NemoError,
    NoCredits,
    RateLimited,
    ServiceError,
    SessionGone,
    SourceBroken,
    StreamBroken,
    TransportError,
    UnexpectedAnswer,
)
from bot.nemo.events import (
    Event,
    KeepAlive,
    Part,
    StateDelta,
    StreamError,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
    read_event,
)
from bot.nemo.renders import Render, RenderStatus
from bot.nemo.turns import TurnText
from bot.nemo.uploads import FileToUpload
from bot.nemo.wire import Attribution, Credentials, Retries, Timeouts

__all__ = [
    "AnonymousToken",
    "Attribution",
    "AuthError",
    "Change",
    "ClaimToken",
    "ClientIdMissing",
    "Credentials",
    "Credits",
    "Download",
    "Draft",
    "Event",
    "ExportNotInPlan",
    "FileToUpload",
    "FileTooLarge",
    "FileTypeRefused",
    "KeepAlive",
    "Kind",
    "NemoClient",
    "NemoError",
    "NoCredits",
    "Part",
    "RateLimited",
    "Render",
    "RenderStatus",
    "Retries",
    "Segment",
    "ServiceError",
    "Session",
    "SessionGone",
    "SourceBroken",
    "State",
    "StateDelta",
    "StreamBroken",
    "StreamError",
    "Text",
    "Thought",
    "Timeouts",
    "ToolCall",
    "ToolResult",
    "Track",
    "TransportError",
    "TurnText",
    "UnexpectedAnswer",
    "Unknown",
    "Upload",
    "UploadedFile",
    "claim_link",
    "compare",
    "read_draft",
    "read_event",
    "register_link",
]
