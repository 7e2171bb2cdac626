"""Everything that the stand-in knows, in one place that endpoints and the control API share."""

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
    """A script that waits for its message.

    Attributes:
        steps: What to do.
        session_id: Only for a message to this session; ``None`` is any.
        times: How many messages still get it; -1 is every one.
    """

    steps: Script
    session_id: str | None = None
    times: int = 1


@dataclass(slots=True)
class World:
    """The service's memory.

    Args:
        folder: Where files go.
        clock: Time; the control API can move its own view of it forward.
        settings: The switches.
    """

    folder: Path
    clock: Clock
    settings: Settings
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
        """Build what needs the rest."""
        self.first_pace = replace(self.settings.pace)
        self.accounts = Accounts(self.settings, self.now)
        self.faults = Faults(self.clock, self.signal)
        self.renders = Renders(self.folder / "renders", self.media, self.settings, self.clock, self.signal)
        self.log = RequestLog(self.clock, self.signal)

    def now(self) -> datetime:
        """The time of day, as far ahead as it was moved."""
        return self.clock.now() + self.ahead

    def script_for(self, session_id: str) -> Script | None:
        """The script that waits for a message to a session, counted down."""
        for queued in self.scripts:
            if queued.times and queued.session_id in (None, session_id):
                if queued.times > 0:
                    queued.times -= 1
                return queued.steps
        return None
