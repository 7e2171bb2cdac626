"""Where a job can be brought to a standstill, so that its process ends exactly there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from bot.sandbox.nemovideo.faults import Point as NemoPoint
from bot.sandbox.nemovideo.scripts import Script
from tests.interruptions.world import PATIENCE_S, World

LetGo = Callable[[], Awaitable[None]]


class Point(Protocol):
    """A place in a job's way."""

    async def arrive(self, world: World) -> LetGo:
        """Ask for a video and wait until the job stands at the point.

        Returns:
            What lets the call go that stands there.
        """
        ...


@dataclass(frozen=True, slots=True)
class AtNemo:
    """A call to NemoVideo, which carries it out all the same when nobody is there any more for the answer."""

    endpoint: str
    point: NemoPoint = "work"
    after_bytes: int = 0
    script: Script | None = None

    async def arrive(self, world: World) -> LetGo:
        """See ``Point``."""
        if self.script is not None:
            await world.nemo.script(self.script)
        hold = await world.nemo.hold(self.endpoint, self.point, after_bytes=self.after_bytes)
        await world.prompt()
        await world.nemo.reached(hold, timeout_s=PATIENCE_S)

        async def let_go() -> None:
            await world.nemo.release(hold)

        return let_go


@dataclass(frozen=True, slots=True)
class AtTelegram:
    """A call to Telegram: ``before`` it takes effect, which it then never does, or ``after``, unanswered.

    Args:
        method: Of the Bot API.
        when: See above.
        once_working: The first such call after the agent began to work, not the first of all.
        script: What the agent does then.
    """

    method: str
    when: Literal["before", "after"]
    once_working: bool = False
    script: Script | None = None

    async def arrive(self, world: World) -> LetGo:
        """See ``Point``."""
        faults = world.people.faults
        if self.script is not None:
            await world.nemo.script(self.script)
        if self.once_working:
            working = await world.nemo.hold("message", "work")
            await world.prompt()
            await world.nemo.reached(working, timeout_s=PATIENCE_S)
            hold = await faults.hold(self.method, when=self.when)
            await world.nemo.release(working)
        else:
            hold = await faults.hold(self.method, when=self.when)
            await world.prompt()
        await hold.reached(timeout_s=PATIENCE_S)

        async def let_go() -> None:
            await hold.release(drop=True)

        return let_go
