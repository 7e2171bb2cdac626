"""Reading a server-sent event stream, byte for byte as the specification says, and with keep-alives visible.

The reading is done here and not by ``httpx_sse.EventSource``, which serves only for its event class:
it swallows comment lines, so a stream that is kept alive by them looks dead; it lets no bound be put on an
event; it loses the first event behind a byte order mark and the last one without a blank line; and it
decodes by the charset the server claims, where the specification allows UTF-8 alone.

Specification: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from collections.abc import Iterator

from httpx_sse import ServerSentEvent

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""Of one event; a draft in a state change is the largest that makes sense."""

OVERSIZED = "oversized"
"""Name of the event that stands for one that was too large to read."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")  # nothing else ends a line: U+2028 and its like are text


class SseReader:
    """Bytes in, events out.

    Args:
        max_event_bytes: An event beyond it is skipped and shows as an empty one named ``OVERSIZED``.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_event_bytes
        self._tail: list[
            bytes
        ] = []  # the line that has not ended yet, in pieces: joining each would be quadratic
        self._tail_bytes = 0
        self._after_cr = False
        self._at_start = True
        self._name = ""
        self._data: list[bytes] = []
        self._event_bytes = 0
        self._oversized = False

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent | None]:
        """Read on.

        Args:
            chunk: Bytes as they came; a chunk may end anywhere, also inside a character.

        Yields:
            Events; ``None`` for a comment line, which says only that the server is alive.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            lines = _LINE_END.split(chunk)
        else:
            lines = chunk.split(b"\n")
        rest = lines.pop()
        for line in lines:
            if self._tail_bytes:
                line = b"".join(self._tail) + line
                self._drop_tail()
            yield from self._line(line)
        self._keep(rest)

    def close(self) -> Iterator[ServerSentEvent | None]:
        """The stream has ended in order: read what still waits for its line end or blank line.

        Yields:
            As :meth:`feed`.
        """
        if self._tail_bytes:
            line = b"".join(self._tail)
            self._drop_tail()
            yield from self._line(line)
        yield from self._line(b"")

    def _keep(self, rest: bytes) -> None:
        if not rest:
            return
        if self._tail_bytes + len(rest) + self._event_bytes > self._max_bytes:
            # Only its start is kept, which tells a comment from a field.
            self._oversized = True
            rest = b"" if self._tail_bytes else rest[:16]
            self._tail = [b"".join(self._tail)[:16]]
            self._tail_bytes = len(self._tail[0])
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)

    def _drop_tail(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0

    def _line(self, line: bytes) -> Iterator[ServerSentEvent | None]:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            if event := self._dispatch():
                yield event
        elif line.startswith(b":"):
            yield None
        else:
            self._field(line)

    def _field(self, line: bytes) -> None:
        self._event_bytes += len(line)
        if self._event_bytes > self._max_bytes:
            self._oversized = True
            self._data.clear()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")

    def _dispatch(self) -> ServerSentEvent | None:
        name, data, oversized = self._name, self._data, self._oversized
        self._name, self._data, self._oversized, self._event_bytes = "", [], False, 0
        if oversized:
            return ServerSentEvent(event=OVERSIZED)
        if not name and not data:
            return None
        return ServerSentEvent(event=name, data=b"\n".join(data).decode("utf-8", "replace"))
