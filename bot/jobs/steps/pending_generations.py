"""Work that a turn's tools have begun and that may come after the turn."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.jobs.steps.agent_tools import EDITING, GENERATING, LOOKING, stage_of
from bot.nemo import lenient_json as read
from bot.nemo.events import ToolCall, ToolResult
from bot.nemo.questions import asks
from bot.nemo.tool_results import Outcome, outcome_of, tells_state
from bot.store.stored_model import StoredModel

_ASKS_AFTER = re.compile(
    r"(?:^|_)(?:check|query|poll|get|fetch|wait|await)_(?:\w+_)?(?:status|progress|result|task|job|generation)s?(?:_|$)"
    r"|(?:^|_)(?:check|poll|wait|await)_(?:for_)?(?:the_)?(?:video|clip)s?(?:_|$)|(?:generation|task|job|video)_(?:status|progress|result)$"
)
"""Tools that tell how far another has come, by their names in snake case."""
_ASKS_AFTER_OTHERS = re.compile(
    "draft|project|timeline|track|render|export|upload|credit|account|music|song|audio|voice|image|cover"
)
_INFORMS = re.compile(
    r"(?:^|__)(?:get|list|read|show|load|search|find|recall|select|choose|pick|save|upload|transfer|todo)_"
    r"|(?:^|_)(?:search|todos?|plan|notes?|memory|memories|project|session|canvas)$"
)
"""Tools that look something up, choose it, write it down or set it up: what is pending there is nothing that comes."""
_IS_ID = re.compile(r"^(?:(?:task|job|generation|gen|request|operation|prediction|video)_)?ids?$")
_ID_DEPTH = 4


class AnnouncedKind(StrEnum):
    """What kind of work may come after a turn."""

    VIDEO = "video"
    WORK = "work"  # a video, music or something else: the tool's name doesn't say


class Announced(StoredModel):
    """What may come after a turn."""

    kind: AnnouncedKind = AnnouncedKind.VIDEO
    videos: int = 1  # how many of them, if it is videos
    made: int = 0  # videos that the same turn has made, which may be in the draft as well


@dataclass(slots=True)
class _Call:
    call_id: str  # empty if the server gave none
    tool: str
    is_long_running: bool
    is_announced: bool
    ids: set[str] = field(default_factory=set)  # of the call and what it has begun

    @property
    def makes_video(self) -> bool:
        return stage_of(self.tool)[0] == GENERATING


class PendingGenerations:
    """The calls of one turn, until each has its final result.

    A turn may make several clips at once: the result of one says nothing about the others.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._made = 0

    @property
    def announced(self) -> Announced | None:
        """What was announced, by a long-running call or a pending result, and isn't made yet."""
        announced = [call for call in self._calls if call.is_announced]
        videos = sum(call.makes_video for call in announced)
        if videos:
            return Announced(videos=videos, made=self._made)
        return Announced(kind=AnnouncedKind.WORK) if announced else None

    def take(self, event: ToolCall | ToolResult) -> bool:
        """Note a call, or what became of one.

        Returns:
            Whether this is the result of a tool that has made a video.
        """
        if isinstance(event, ToolCall):
            # A server may repeat a call in another event.
            if not event.call_id or all(call.call_id != event.call_id for call in self._calls):
                begun = _of(event.call_id, event.name, is_long_running=event.is_long_running)
                begun.ids.update(_ids_in(event.args))
                self._calls.append(begun)
            return False
        if asks(event.name):
            return False  # It waits for a person.
        call = self._call_of(event)
        if call is None:
            call = _of(event.call_id, event.name)
            self._calls.append(call)
        call.ids.update(_ids_in(event.result))
        other = None if call.is_announced else self._begun_by_other(call)
        stage = stage_of(call.tool)[0]
        # A tool of an unknown kind may return any sentence; one that looks at media may say how far that is.
        has_prose = call.makes_video or call.is_long_running or other is not None
        outcome = outcome_of(event.result, has_prose=has_prose)
        has_made = call.makes_video and outcome is Outcome.DONE
        is_work = has_prose or not (stage in (EDITING, LOOKING) or _only_informs(call.tool))
        if other is None and outcome is Outcome.PENDING and is_work:
            call.is_announced = True
            return False
        self._calls.remove(call)
        if other is not None and _is_final(outcome, event.result):
            self._calls.remove(other)
            has_made = other.makes_video and outcome is Outcome.DONE and _asks_after(call.tool)
        self._made += has_made
        return has_made

    def _begun_by_other(self, call: _Call) -> _Call | None:
        """Return the announced call after which this one has asked."""
        if stage_of(call.tool)[0] == EDITING:
            return None
        asks_after = _asks_after(call.tool)
        announced = [one for one in self._calls if one.is_announced and (asks_after or one.tool != call.tool)]
        same = (one for one in announced if not one.ids.isdisjoint(call.ids))
        # Where both have ids, they are about different things.
        likely = (one for one in announced if asks_after and not (one.ids and call.ids))
        return next(same, None) or next(likely, None)

    def _call_of(self, result: ToolResult) -> _Call | None:
        same = [call for call in self._calls if result.call_id and call.call_id == result.call_id] or [
            call for call in self._calls if call.tool == result.name and not (call.call_id and result.call_id)
        ]
        # Without ids, prefer a call that has announced nothing yet.
        return min(same, key=lambda call: call.is_announced, default=None)


def _of(call_id: str, tool: str, *, is_long_running: bool = False) -> _Call:
    call = _Call(call_id, tool, is_long_running, is_announced=False)
    call.is_announced = is_long_running and call.makes_video
    return call


def _asks_after(tool: str) -> bool:
    """Return whether a tool tells how far the making of a video has come."""
    name = read.in_snake_case(tool)
    return _ASKS_AFTER.search(name) is not None and not _ASKS_AFTER_OTHERS.search(name)


def _only_informs(tool: str) -> bool:
    return _INFORMS.search(read.in_snake_case(tool)) is not None and not _asks_after(tool)


def _is_final(outcome: Outcome, result: object) -> bool:
    """Return whether what a tool says of other work is its end; an error alone may be of the asking."""
    return bool(result) and (outcome is Outcome.DONE or (outcome is Outcome.FAILED and tells_state(result)))


def _ids_in(value: Any, depth: int = _ID_DEPTH) -> Iterator[str]:
    """Return the ids in a call's arguments or a result."""
    if isinstance(value, list):
        for one in value if depth else ():
            yield from _ids_in(one, depth - 1)
    for key, inner in read.snake_keys(read.mapping(value)).items() if depth else ():
        if _IS_ID.search(key):
            yield from filter(None, map(read.text, inner if isinstance(inner, list) else [inner]))
        else:
            yield from _ids_in(inner, depth - 1)
