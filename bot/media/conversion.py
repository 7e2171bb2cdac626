"""Convert a file in the decoder process, for all kinds whose conversion ends with the whole file."""

import os
from collections.abc import Callable
from typing import IO

from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.errors import FileTypeUnsupported


async def convert_file(
    convert: Callable[[int, int, str], None],
    source: IO[bytes],
    source_type: str,
    target: IO[bytes],
    name: str,
    bounds: Bounds,
) -> int:
    """Run a conversion between two files; cancelling ends it.

    Args:
        convert: The conversion, with the descriptors of the two files and the source's type.
        source: A file on disk, open at its start.
        source_type: Its kind, as in ``kinds.CONVERTED``.
        target: An empty file on disk; afterwards open at its start.
        name: The file's name, for errors.
        bounds: What the conversion may use.

    Returns:
        The result's size in bytes.

    Raises:
        FileTypeUnsupported: It can't be converted within these bounds.
    """
    try:
        await run(convert, source_type, bounds=bounds, files=[source, target])
    except NotDecoded as error:
        raise FileTypeUnsupported(name, source_type) from error
    size = target.seek(0, os.SEEK_END)
    target.seek(0)
    return size
