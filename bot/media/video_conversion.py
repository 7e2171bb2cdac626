"""Convert video that NemoVideo does not take to MP4: of camcorders and tuners, Windows Media, Flash, RealMedia, Theora.

As with audio, the work is done between two files in the decoder process. H.264 is copied as it is if everything plays
it; everything else is decoded and encoded frame by frame.
"""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING, Any, cast

from bot.media.audio_conversion import BITS_PER_CHANNEL, MAX_CONVERTED_BYTES, MAX_RATE_HZ
from bot.media.conversion import convert_file
from bot.media.decoder_process import Bounds
from bot.media.video_facts import PLAYABLE_PIXEL_FORMATS

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

BOUNDS = Bounds(wall_s=900, cpu_s=1500, written_bytes=MAX_CONVERTED_BYTES)
"""A quarter of an hour on two cores is enough for some minutes of full HD."""

_DEMUXERS = {
    "wmv": "asf",
    "ts": "mpegts",
    "ogv": "ogg",
    "m2v": "mpegvideo",
}  # where they are not named like the kind
_ENCODER = {"preset": "veryfast", "crf": "20"}
_MAX_PIXELS = 4096 * 2304
_THREADS = 2
_USUAL_FPS = 30


async def convert_video(source: IO[bytes], source_type: str, target: IO[bytes], name: str) -> int:
    """Convert a video to MP4; cancelling ends the conversion.

    Args:
        source: A file on disk, open at its start.
        source_type: A kind of video in ``kinds.CONVERTED``.
        target: An empty file on disk; afterwards open at its start.
        name: The file's name, for errors.

    Returns:
        The result's size in bytes.

    Raises:
        FileTypeUnsupported: It holds no video that can be decoded, or is too long for the time that this may take.
    """
    return await convert_file(_convert, source, source_type, target, name, BOUNDS)


def _convert(source_fd: int, target_fd: int, source_type: str) -> None:
    import av

    with (
        os.fdopen(source_fd, "rb") as source,
        os.fdopen(target_fd, "w+b") as target,
        # The demuxer is named: no other type of file is read, whatever the content.
        av.open(source, "r", format=_DEMUXERS.get(source_type, source_type)) as input_,
        # Broadcasts and camcorders begin at any time.
        av.open(target, "w", format="mp4", options={"avoid_negative_ts": "make_zero"}) as output,
    ):
        video = input_.streams.video[0]
        if not 0 < video.width * video.height <= _MAX_PIXELS:
            raise ValueError(f"{video.width}×{video.height}")
        codec = video.codec_context
        is_copied = (
            codec.name == "h264"
            and codec.pix_fmt in PLAYABLE_PIXEL_FORMATS
            and source_type != "h264"  # Without a container its frames have no times.
        )
        tracks: list[_Track] = [_Copied(output, video) if is_copied else _EncodedVideo(output, video)]
        audio = next((one for one in input_.streams.audio if one.codec_context is not None), None)
        if audio is not None:
            tracks.append(_EncodedAudio(output, audio))
        for packet in input_.demux([track.source for track in tracks]):
            track = next(one for one in tracks if one.source.index == packet.stream_index)
            with contextlib.suppress(av.InvalidDataError):
                track.add(packet)
        if not all(track.has_content for track in tracks[:1]):
            raise ValueError("not one frame")
        for track in tracks:
            track.flush()


class _Track:
    """A stream of the result."""

    def __init__(self, output: OutputContainer, source: Stream) -> None:
        self.source = source
        self.has_content = False
        self._output = output

    def add(self, packet: Packet[Any]) -> None:
        """Take over a packet of the source."""

    def flush(self) -> None:
        """Write what the encoder still holds."""


class _Copied(_Track):
    """Video that stays as it is."""

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        super().__init__(output, source)
        self._stream = output.add_stream_from_template(source)

    def add(self, packet: Packet[Any]) -> None:
        if packet.dts is None:
            return  # The end.
        self.has_content = True
        packet.stream = self._stream
        self._output.mux(packet)


class _EncodedVideo(_Track):
    """Video that is encoded again, with square pixels."""

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        super().__init__(output, source)
        source.codec_context.thread_count = _THREADS
        aspect = source.sample_aspect_ratio or source.codec_context.sample_aspect_ratio
        stretch = float(aspect) if aspect and 0.1 < aspect < 10 else 1.0
        self._size = (max(2, round(source.width * stretch / 2) * 2), max(2, round(source.height / 2) * 2))
        stream = output.add_stream("libx264", rate=source.average_rate or _USUAL_FPS, options=_ENCODER)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        if source.time_base is not None:
            stream.codec_context.time_base = source.time_base
        stream.codec_context.thread_count = _THREADS
        self._stream = stream
        self._last = -1

    def add(self, packet: Packet[Any]) -> None:
        for frame in cast(list[Any], packet.decode()):
            if frame.pts is None:
                frame.pts = self._last + max(1, frame.duration or 0)
            if frame.pts <= self._last:
                continue
            self._last, self.has_content = frame.pts, True
            scaled = frame.reformat(*self._size, "yuv420p")
            scaled.pict_type = 0  # The encoder chooses which are key frames, not the source.
            self._output.mux(self._stream.encode(scaled))

    def flush(self) -> None:
        self._output.mux(self._stream.encode(None))


class _EncodedAudio(_Track):
    """Sound as AAC."""

    def __init__(self, output: OutputContainer, source: AudioStream) -> None:
        from av.audio.resampler import AudioResampler

        super().__init__(output, source)
        channels = min(2, source.channels)
        layout = "mono" if channels == 1 else "stereo"
        self._resampler = AudioResampler("fltp", layout, MAX_RATE_HZ)
        self._stream = output.add_stream("aac", rate=MAX_RATE_HZ, layout=layout)
        self._stream.bit_rate = BITS_PER_CHANNEL * channels

    def add(self, packet: Packet[Any]) -> None:
        for frame in cast(list[Any], packet.decode()):
            self._encode(frame)

    def flush(self) -> None:
        self._encode(None)
        self._output.mux(self._stream.encode(None))

    def _encode(self, frame: Any) -> None:
        for resampled in self._resampler.resample(frame):
            self._output.mux(self._stream.encode(resampled))
