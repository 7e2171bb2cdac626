"""Repair published cards: control characters, and UTF-8 that was read as Windows-1252 and encoded again.

Not by ftfy, which makes signs of control characters, or leaves text with both kinds of bytes broken.
"""

import re
from typing import Final

# Windows-1252 leaves five bytes undefined; where those were read, the character of the same number stands for them.
_BYTES: Final = {
    **{chr(byte): byte for byte in range(256)},
    **{
        bytes([byte]).decode("cp1252"): byte
        for byte in range(0x80, 0xA0)
        if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
    },
}

_CONTINUATION: Final = "[" + "".join(re.escape(c) for c, byte in _BYTES.items() if 0x80 <= byte < 0xC0) + "]"

# What UTF-8 looks like then; of two bytes only the commonest, and those with a control character: "É…" may be meant so.
_DOUBLY_ENCODED: Final = re.compile(
    f"[Â-ô][\x80-\x9f]|[ÂÃ]{_CONTINUATION}|[à-ï]{_CONTINUATION}{{2}}|[ð-ô]{_CONTINUATION}{{3}}"
)

# All that YAML does not allow, and its own line break, which nobody types.
_CONTROLS: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_MAX_ROUNDS: Final = 3  # times that a text may have been encoded again


def repair(text: str) -> str:
    """Return a text with its doubly encoded lines decoded, and without control characters.

    A line is decoded as a whole or not at all, so that typographic signs beside accented letters stay.
    """
    return _CONTROLS.sub("", "\n".join(map(_decode, text.split("\n"))))


def _decode(line: str) -> str:
    for _ in range(_MAX_ROUNDS):
        if not _DOUBLY_ENCODED.search(line):
            break
        try:
            line = bytes(_BYTES[character] for character in line).decode()
        except (KeyError, UnicodeDecodeError):
            break
    return line
