"""Parsing of a server-sent event stream as the specification says, with keep-alives visible.

Only the event class of ``httpx_sse`` is used. Its ``EventSource`` swallows comment lines, so that a stream kept alive
by them looks dead; it can't limit the size of an event; it loses the first event after a byte order mark and the last
one without a blank line; and it decodes by the charset that the server claims, where only UTF-8 is allowed.

Specification: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re
from collections.abc import Iterator

from httpx_sse import ServerSentEvent

MAX_EVENT_BYTES = 14 * 1024 * 1024
"""Limit of one event; the largest sensible one is a picture of 10 MB in Base64."""

OVERSIZED = "oversized"
"""Name of the event that replaces one that was too large."""

_BOM = b"\xef\xbb\xbf"
_OTHER_FIELD = re.compile(rb"[a-z_-]+:")
_LINE_END = re.compile(rb"\r\n|\r|\n")  # nothing else ends a line: U+2028 and the like are text


class SseReader:
    """Turns the bytes of a stream into events.

    Args:
        max_event_bytes: A larger event is replaced by an empty one named ``OVERSIZED``.

    Attributes:
        has_read: Whether there was any field of an event, a comment, or an object in a line of its own.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.has_read = False
        self._max_bytes = max_event_bytes
        # The unfinished line, in pieces: joining it for each chunk would take quadratic time.
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._after_cr = False
        self._at_start = True
        self._name = ""
        self._data: list[bytes] = []
        self._event_bytes = 0
        self._oversized = False

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent | None]:
        """Parse the next bytes.

        Args:
            chunk: The bytes as received; a chunk may end anywhere, even inside a character.

        Yields:
            Events; ``None`` for a comment line, which only says that the server is alive.
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
                self._clear_tail()
            yield from self._line(line)
        self._append_tail(rest)

    def close(self) -> Iterator[ServerSentEvent | None]:
        """Parse what is left when the stream has ended properly, without a line end or a blank line.

        Yields:
            As :meth:`feed` does.
        """
        if self._tail_bytes:
            line = b"".join(self._tail)
            self._clear_tail()
            yield from self._line(line)
        yield from self._line(b"")

    @property
    def is_empty(self) -> bool:
        """Whether nothing came but blank lines."""
        return self._at_start

    def _append_tail(self, rest: bytes) -> None:
        if not rest:
            return
        if self._tail_bytes + len(rest) + self._event_bytes > self._max_bytes:
            # Its start is enough to tell a comment from a field.
            self._oversized = True
            rest = b"" if self._tail_bytes else rest[:16]
            self._tail = [b"".join(self._tail)[:16]]
            self._tail_bytes = len(self._tail[0])
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)

    def _clear_tail(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0

    def _line(self, line: bytes) -> Iterator[ServerSentEvent | None]:
        if self._at_start:
            line = line.removeprefix(_BOM)
            self._at_start = not line
        if not line:
            if event := self._dispatch():
                yield event
        elif line.startswith(b":"):
            self.has_read = True
            yield None
        else:
            self._field(line)
            if line.startswith(b"{") and line.endswith(b"}") and self._data == [line]:
                yield self._dispatch()  # JSON lines have no blank lines between them.

    def _field(self, line: bytes) -> None:
        self._event_bytes += len(line)
        if self._event_bytes > self._max_bytes:
            self._oversized = True
            self._data.clear()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        is_field = name in (b"data", b"event", b"id", b"retry")
        self.has_read = self.has_read or is_field or line.startswith(b"{")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        elif self.has_read and not is_field and not _OTHER_FIELD.match(line):
            self._data.append(line)  # Some servers don't name the field again after a line end in their text.

    def _dispatch(self) -> ServerSentEvent | None:
        name, data, oversized = self._name, self._data, self._oversized
        self._name, self._data, self._oversized, self._event_bytes = "", [], False, 0
        if oversized:
            return ServerSentEvent(event=OVERSIZED)
        if not name and not data:
            return None
        return ServerSentEvent(event=name, data=b"\n".join(data).decode("utf-8", "replace"))
