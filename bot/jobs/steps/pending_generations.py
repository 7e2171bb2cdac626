"""Videos that a turn's tools are making and that may come after the turn."""

from dataclasses import dataclass

from bot.jobs.steps.turn_progress import GENERATING, is_pending, stage_of
from bot.nemo.events import ToolCall, ToolResult


@dataclass(slots=True)
class _Call:
    call_id: str  # empty if the server gave none
    tool: str
    is_announced: bool


class PendingGenerations:
    """The calls of one turn that make a video, until each has its final result.

    A turn may make several clips at once: the result of one says nothing about the others.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    @property
    def is_any_announced(self) -> bool:
        """Whether a video was announced, by a long-running call or a pending result, that is not made yet."""
        return any(call.is_announced for call in self._calls)

    def take(self, event: ToolCall | ToolResult) -> None:
        """Note a call, or what became of one; tools that make no video are ignored."""
        if stage_of(event.name)[0] != GENERATING:
            return
        if isinstance(event, ToolCall):
            # A server may repeat a call in another event.
            if not event.call_id or all(call.call_id != event.call_id for call in self._calls):
                self._calls.append(_Call(event.call_id, event.name, event.is_long_running))
            return
        call = self._call_of(event)
        if is_pending(event.result):
            if call is None:
                self._calls.append(_Call(event.call_id, event.name, is_announced=True))
            else:
                call.is_announced = True
        elif call is not None:
            self._calls.remove(call)

    def _call_of(self, result: ToolResult) -> _Call | None:
        same = [call for call in self._calls if result.call_id and call.call_id == result.call_id] or [
            call for call in self._calls if call.tool == result.name and not (call.call_id and result.call_id)
        ]
        # Without ids, a result belongs to a call of which nothing is known yet, if there is one.
        return min(same, key=lambda call: call.is_announced, default=None)
