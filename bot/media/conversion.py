"""Convert files that NemoVideo does not take, in the decoder process."""

import os
from typing import IO

from bot.media import audio_conversion, picture_conversion, video_conversion
from bot.media.decoder_process import NotDecoded, run
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.media.kinds import CONVERTED


async def convert_file(source: IO[bytes], kind: str, target: IO[bytes], name: str) -> int:
    """Convert a file to what ``kinds.CONVERTED`` says for its kind; cancelling ends the conversion.

    Args:
        source: A file on disk, open at its start.
        kind: Its kind.
        target: An empty file on disk; afterwards open at its start.
        name: The file's name, for errors.

    Returns:
        The result's size in bytes.

    Raises:
        FileTypeUnsupported: It can't be decoded, has other content than its kind says, or takes too long.
        AudioTooLong: It is audio of more than ``MAX_AUDIO_S`` or ``MAX_CONVERTED_BYTES``.
    """
    files = [source, target]
    try:
        match CONVERTED[kind]:
            case "jpg":
                await run(picture_conversion.convert, kind, bounds=picture_conversion.BOUNDS, files=files)
            case "mp4":
                await run(video_conversion.convert, kind, bounds=video_conversion.BOUNDS, files=files)
            case _:
                max_s, bounds = audio_conversion.MAX_AUDIO_S, audio_conversion.BOUNDS
                stopped_at_s = await run(audio_conversion.convert, kind, max_s, bounds=bounds, files=files)
                if stopped_at_s is not None:
                    raise AudioTooLong(stopped_at_s)
    except NotDecoded as error:
        raise FileTypeUnsupported(name, kind) from error
    size = target.seek(0, os.SEEK_END)
    target.seek(0)
    return size
