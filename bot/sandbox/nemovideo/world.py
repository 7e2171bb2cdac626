"""The stand-in's state, shared by the endpoints and the control API."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.runtime.clock import Clock
from bot.sandbox.nemovideo.accounts import Accounts
from bot.sandbox.nemovideo.faults import Faults
from bot.sandbox.nemovideo.media import MediaStore
from bot.sandbox.nemovideo.render import Renders
from bot.sandbox.nemovideo.requests import RequestLog
from bot.sandbox.nemovideo.scripts import Script
from bot.sandbox.nemovideo.sessions import Message, Session
from bot.sandbox.nemovideo.settings import Pace, Settings
from bot.sandbox.nemovideo.signal import Signal


@dataclass(slots=True)
class Queued:
    """A script for the next messages.

    Attributes:
        steps: The script's steps.
        session_id: Session that it is for; ``None`` for any.
        times: Number of messages that still get it; -1 for all.
    """

    steps: Script
    session_id: str | None = None
    times: int = 1


@dataclass(slots=True)
class World:
    """The service's state.

    Args:
        folder: Directory for files.
        clock: Source of time; the control API can move the service's date ahead of it.
        settings: The stand-in's switches.
        public_links_only: Whether links into this machine's networks are not fetched.
    """

    folder: Path
    clock: Clock
    settings: Settings
    public_links_only: bool = False
    ahead: timedelta = timedelta()
    signal: Signal = field(default_factory=Signal)
    sessions: dict[str, Session] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    scripts: list[Queued] = field(default_factory=list)
    media: MediaStore = field(default_factory=MediaStore)
    accounts: Accounts = field(init=False)
    faults: Faults = field(init=False)
    renders: Renders = field(init=False)
    log: RequestLog = field(init=False)
    first_pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        """Create the parts that need others."""
        self.first_pace = replace(self.settings.pace)
        self.accounts = Accounts(self.settings, self.now)
        self.faults = Faults(self.clock, self.signal)
        self.renders = Renders(self.folder / "renders", self.media, self.settings, self.clock, self.signal)
        self.log = RequestLog(self.clock, self.signal)

    def now(self) -> datetime:
        """Return the service's current time."""
        return self.clock.now() + self.ahead

    def script_for(self, session_id: str) -> Script | None:
        """Return the script for a message to a session and count it down."""
        for queued in self.scripts:
            if queued.times and queued.session_id in (None, session_id):
                if queued.times > 0:
                    queued.times -= 1
                return queued.steps
        return None
