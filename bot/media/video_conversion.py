"""Convert video that NemoVideo does not take to MP4: of camcorders and tuners, Windows Media, Flash, RealMedia, Theora.

The work is done between two files in the decoder process. H.264 is copied as it is if everything plays it; everything
else is decoded and encoded frame by frame.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, cast

from bot.media.audio_conversion import BITS_PER_CHANNEL, MAX_CONVERTED_BYTES
from bot.media.decoder_process import Bounds
from bot.media.encoding import THREADS, TIME_BASE, USUAL_FPS, AudioEncoder, VideoEncoder, audio_of, even
from bot.media.video_facts import PLAYABLE_PIXEL_FORMATS

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

BOUNDS = Bounds(wall_s=900, cpu_s=1500, written_bytes=MAX_CONVERTED_BYTES)
"""A quarter of an hour on two cores is enough for some minutes of full HD."""

_DEMUXERS = {
    "wmv": "asf",
    "ts": "mpegts",
    "ogv": "ogg",
    "m2v": "mpegvideo",
}  # where they are not named like the kind
_MAX_PIXELS = 4096 * 2304


def convert(source_fd: int, target_fd: int, source_type: str) -> None:
    """Convert a video to MP4."""
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
        video_track = _Copied(output, video) if is_copied else _EncodedVideo(output, video)
        audio = audio_of(input_)
        audio_encoder = (
            None if audio is None else AudioEncoder(output, audio, BITS_PER_CHANNEL * min(2, audio.channels))
        )
        for packet in input_.demux([one for one in (video, audio) if one is not None]):
            with contextlib.suppress(av.InvalidDataError):
                if packet.stream_index == video.index:
                    video_track.add(packet)
                elif audio_encoder is not None:
                    for frame in cast(list[Any], packet.decode()):
                        audio_encoder.encode(frame)
        if not video_track.has_content:
            raise ValueError("not one frame")
        video_track.flush()
        if audio_encoder is not None:
            audio_encoder.flush()


class _Copied:
    """Video that stays as it is."""

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        self.has_content = False
        self._output = output
        self._stream = output.add_stream_from_template(source)

    def add(self, packet: Packet[Any]) -> None:
        if packet.dts is None:
            return  # The end.
        self.has_content = True
        packet.stream = self._stream
        self._output.mux(packet)

    def flush(self) -> None:
        """Do nothing: all is written."""


class _EncodedVideo:
    """Video that is encoded again, with square pixels."""

    def __init__(self, output: OutputContainer, source: VideoStream) -> None:
        self.has_content = False
        source.codec_context.thread_count = THREADS
        aspect = source.sample_aspect_ratio or source.codec_context.sample_aspect_ratio
        stretch = float(aspect) if aspect and 0.1 < aspect < 10 else 1.0
        size = (even(source.width * stretch), even(source.height))
        rate, time_base = source.average_rate or USUAL_FPS, source.time_base or TIME_BASE
        self._encoder = VideoEncoder(output, size, rate, {"crf": "20"}, time_base)
        self._last = -1
        self.flush = self._encoder.flush

    def add(self, packet: Packet[Any]) -> None:
        for frame in cast(list[Any], packet.decode()):
            if frame.pts is None:
                frame.pts = self._last + max(1, frame.duration or 0)
            if frame.pts <= self._last:
                continue
            self._last, self.has_content = frame.pts, True
            self._encoder.encode(frame)
