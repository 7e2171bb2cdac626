"""Work that a turn's tools have begun and that may come after the turn."""

from dataclasses import dataclass
from enum import StrEnum

from bot.jobs.steps.agent_tools import EDITING, GENERATING, LOOKING, stage_of
from bot.nemo.events import ToolCall, ToolResult
from bot.nemo.questions import asks
from bot.nemo.tool_results import Outcome, outcome_of


class Announced(StrEnum):
    """What may come after a turn."""

    VIDEO = "video"
    WORK = "work"  # a video, music or something else: the tool's name doesn't say


@dataclass(slots=True)
class _Call:
    call_id: str  # empty if the server gave none
    tool: str
    is_long_running: bool
    is_announced: bool

    @property
    def makes_video(self) -> bool:
        return stage_of(self.tool)[0] == GENERATING


class PendingGenerations:
    """The calls of one turn, until each has its final result.

    A turn may make several clips at once: the result of one says nothing about the others.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    @property
    def announced(self) -> Announced | None:
        """What was announced, by a long-running call or a pending result, and isn't made yet."""
        announced = [call for call in self._calls if call.is_announced]
        if any(call.makes_video for call in announced):
            return Announced.VIDEO
        return Announced.WORK if announced else None

    def take(self, event: ToolCall | ToolResult) -> bool:
        """Note a call, or what became of one.

        Returns:
            Whether this is the result of a tool that has made a video.
        """
        if isinstance(event, ToolCall):
            # A server may repeat a call in another event.
            if not event.call_id or all(call.call_id != event.call_id for call in self._calls):
                self._calls.append(_of(event.call_id, event.name, is_long_running=event.is_long_running))
            return False
        if asks(event.name):
            return False  # It waits for a person.
        call = self._call_of(event)
        if call is None:
            call = _of(event.call_id, event.name)
            self._calls.append(call)
        stage = stage_of(call.tool)[0]
        # A tool of an unknown kind may return any sentence; one that looks at media may say how far that is.
        has_prose = call.makes_video or call.is_long_running
        outcome = outcome_of(event.result, has_prose=has_prose)
        if outcome is Outcome.PENDING and (has_prose or stage not in (EDITING, LOOKING)):
            call.is_announced = True
        else:
            self._calls.remove(call)
        return call.makes_video and outcome is Outcome.DONE

    def _call_of(self, result: ToolResult) -> _Call | None:
        same = [call for call in self._calls if result.call_id and call.call_id == result.call_id] or [
            call for call in self._calls if call.tool == result.name and not (call.call_id and result.call_id)
        ]
        # Without ids, a result belongs to a call of which nothing is known yet, if there is one.
        return min(same, key=lambda call: call.is_announced, default=None)


def _of(call_id: str, tool: str, *, is_long_running: bool = False) -> _Call:
    call = _Call(call_id, tool, is_long_running, is_announced=False)
    call.is_announced = is_long_running and call.makes_video
    return call
