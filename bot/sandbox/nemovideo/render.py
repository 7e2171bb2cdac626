"""Renders, which turn a draft into an MP4."""

import asyncio
import atexit
import functools
import hashlib
import json
import os
import secrets
import shutil
import tempfile
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot.runtime.clock import Clock
from bot.sandbox.nemovideo.drafts import AUDIO, TEXT, VIDEO, Draft
from bot.sandbox.nemovideo.encode import Clip, Spec, encode
from bot.sandbox.nemovideo.media import MediaStore, Served
from bot.sandbox.nemovideo.settings import Settings
from bot.sandbox.nemovideo.signal import Signal
from bot.sandbox.samples import pad

Status = Literal["pending", "processing", "completed", "failed"]

_MAX_SIDE = 1920

MAX_FPS = 60
"""Frames per second of a video at most, whatever the draft says."""


class RenderFailedError(Exception):
    """The encoder failed."""


@dataclass(slots=True)
class Render:
    """A render.

    Attributes:
        id: The caller's ID for it.
        user_id: ID of the account.
        session_id: ID of the session.
        draft: The draft sent with the call.
        output: The requested format and quality.
        created_at: Time of the call.
        posts: Number of calls that asked for it.
        polls: Number of calls that asked for its status.
        status: Its status.
        progress: Its progress, 0 to 100.
        url: URL of the video.
        duration_s: Length of the video in seconds.
        size_bytes: Size of the video.
        error: The error message, if it failed.
        path: The video file.
    """

    id: str
    user_id: str
    session_id: str
    draft: Draft
    output: dict[str, Any]
    created_at: datetime
    posts: int = 1
    polls: int = 0
    downloads: int = 0
    status: Status = "pending"
    progress: int = 0
    url: str = ""
    duration_s: float = 0.0
    size_bytes: int = 0
    error: str = ""
    path: Path | None = None


@dataclass(slots=True)
class Renders:
    """All renders.

    Args:
        folder: Directory for videos.
        media: The media of segments, where finished videos are added.
        settings: The stand-in's switches.
        clock: Source of time for renders with a minimum duration.
        signal: Notified of each change.
    """

    folder: Path
    media: MediaStore
    settings: Settings
    clock: Clock
    signal: Signal
    by_id: dict[str, Render] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))
    _making: dict[str, asyncio.Lock] = field(default_factory=dict)

    def start(self, render: Render, base_url: str) -> None:
        """Start a render.

        Args:
            render: The render, with a new ID.
            base_url: Base URL of its video.
        """
        self.by_id[render.id] = render
        self._tasks[render.id] = asyncio.create_task(self._run(render, base_url), name=f"render {render.id}")

    def cancel(self, render: Render) -> None:
        """Cancel a render, unless it is finished."""
        if render.status in ("pending", "processing"):
            self._tasks[render.id].cancel()
            self._finish(render, "failed", error="Render cancelled")

    async def close(self) -> None:
        """Cancel all renders and end their processes."""
        for task in self._tasks.values():
            # Cancel once: a second cancellation would interrupt the wait for the encoder to end.
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def paint(self, served: Served) -> Path:
        """Return the file of a generated clip, encoded on demand.

        Args:
            served: The clip's entry in the media store.

        Raises:
            RenderFailedError: The encoder failed.
        """
        prompt, seconds = served.generated or ("", 1.0)
        clips = [Clip("generated", prompt, 0.0, seconds)]
        return await self._make(Spec("", 640, 360, 24, seconds, "front", clips), None)

    async def _run(self, render: Render, base_url: str) -> None:
        try:
            async with self._slots:
                await self._process(render, base_url)
        except (RenderFailedError, OSError) as error:
            self._finish(render, "failed", error=str(error))

    async def _process(self, render: Render, base_url: str) -> None:
        started_s, least_s = self.clock.monotonic_s(), self.settings.pace.render_s
        render.status = "processing"
        self.signal.notify()
        ticking = asyncio.create_task(self._tick(render, started_s, least_s)) if least_s else None
        try:
            spec = spec_of(render.draft, self.media, self.settings.moov)
            fails = self._fails()
            made = None if fails else await self._make(spec, None if least_s else render)
            if least_s:
                await self.clock.sleep(max(0.0, started_s + least_s - self.clock.monotonic_s()))
        finally:
            if ticking is not None:
                ticking.cancel()
        if made is None:
            raise RenderFailedError(self.settings.render_error)
        render.path = self.folder / f"{secrets.token_hex(8)}.mp4"
        if self.settings.render_bytes is None:
            await asyncio.to_thread(_link, made, render.path)
        else:
            await asyncio.to_thread(shutil.copyfile, made, render.path)
            await asyncio.to_thread(pad, render.path, self.settings.render_bytes)
        render.size_bytes = render.path.stat().st_size
        render.duration_s = spec.duration_s
        render.url = self.media.add(base_url, Served("export.mp4", render.path, render=True))
        self._finish(render, "completed")

    async def _tick(self, render: Render, started_s: float, least_s: float) -> None:
        while True:
            render.progress = min(99, int(100 * (self.clock.monotonic_s() - started_s) / least_s))
            self.signal.notify()
            await self.clock.sleep(max(least_s / 20, 0.01))

    def _fails(self) -> bool:
        if self.settings.render_fails > 0:
            self.settings.render_fails -= 1
            return True
        return self.settings.render_fails < 0

    def _finish(self, render: Render, status: Status, error: str = "") -> None:
        render.status, render.error = status, error
        if status == "completed":
            render.progress = 100
        self.signal.notify()

    async def _make(self, spec: Spec, render: Render | None) -> Path:
        """Encode a spec, unless any stand-in of this process has encoded the same one."""
        key = await asyncio.to_thread(_key_of, spec)
        made = _shelf() / f"{key}.mp4"
        async with self._making.setdefault(key, asyncio.Lock()):
            if not made.exists():
                out = made.with_name(f"{secrets.token_hex(8)}.mp4")
                try:
                    await self._encode(replace(spec, out=str(out)), render)
                    out.replace(made)  # atomic, because another stand-in may look for it now
                finally:
                    out.unlink(missing_ok=True)
        return made

    async def _encode(self, spec: Spec, render: Render | None) -> None:
        loop, given_up = asyncio.get_running_loop(), threading.Event()

        def progress(percent: int) -> None:
            if given_up.is_set():
                raise RenderFailedError("given up")
            if render is not None and percent > render.progress:
                loop.call_soon_threadsafe(self._progress, render, min(99, percent))

        work = loop.run_in_executor(None, encode, spec, progress)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.set()
            await asyncio.gather(work, return_exceptions=True)
            raise
        except Exception as error:
            raise RenderFailedError(f"Encoding failed: {error}") from error

    def _progress(self, render: Render, percent: int) -> None:
        render.progress = max(render.progress, percent)
        self.signal.notify()


@functools.cache
def _shelf() -> Path:
    """Return the directory of encoded videos, named by their specs and removed with this process."""
    directory = tempfile.TemporaryDirectory(prefix="nemovideo-renders-")
    atexit.register(directory.cleanup)
    return Path(directory.name)


def _key_of(spec: Spec) -> str:
    """Return a key for a spec, with files by their content and not by their path."""
    whole = asdict(spec)
    for clip in whole["clips"]:
        if clip["path"] is not None:
            with open(clip["path"], "rb") as file:
                clip["path"] = hashlib.file_digest(file, "sha256").hexdigest()
            clip["name"] = ""  # nothing of it is shown
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def spec_of(draft: Draft, media: MediaStore, moov: Literal["front", "end"]) -> Spec:
    """Return the encoder's spec for a draft.

    Args:
        draft: The draft; unknown segments are painted from their names.
        media: The media of the segments.
        moov: Whether the index is at the front or the end of the file.

    Raises:
        RenderFailedError: The draft has nothing to show.
    """
    meta = draft.get("m") or {}
    clips = [
        _clip(segment, int(track.get("tt", VIDEO)), media)
        for track in draft.get("t") or []
        for segment in track.get("sg") or []
    ]
    if not clips:
        raise RenderFailedError("The draft has no segments")
    end_s = max(clip.start_s + clip.duration_s for clip in clips)
    return Spec(
        out="",
        width=_side(meta.get("width"), 640),
        height=_side(meta.get("height"), 360),
        fps=min(MAX_FPS, int(meta.get("fps") or 24)),
        duration_s=float(draft.get("d") or 0) / 1000 or end_s,
        moov=moov,
        clips=clips,
    )


def _clip(segment: dict[str, Any], track_type: int, media: MediaStore) -> Clip:
    name = str(segment.get("text") or segment.get("name") or "clip")
    start_s = float(segment.get("start") or 0) / 1000
    duration_s = float(segment.get("duration") or 3000) / 1000
    volume = float(segment.get("volume", 1.0))
    served = media.find(str(segment.get("media_url") or ""))
    if track_type == TEXT:
        return Clip("title", name, start_s, duration_s, scale=float(segment.get("scale") or 1.0))
    if track_type == AUDIO and (served is None or served.path is None):
        mood, piece = str(segment.get("mood") or ""), int(segment.get("piece") or 0)
        return Clip("music", name, start_s, duration_s, volume=volume, mood=mood, piece=piece)
    if served is None or served.path is None:
        words = served.generated[0] if served is not None and served.generated else name
        return Clip("generated", words, start_s, duration_s)
    return Clip(
        "audio" if track_type == AUDIO else "image" if segment.get("media_type") == "image" else "video",
        name,
        start_s,
        duration_s,
        path=str(served.path),
        source_start_s=float(segment.get("source_start") or 0) / 1000,
        speed=float(segment.get("speed") or 1.0),
        volume=volume,
        background=str(segment.get("background") or ""),
    )


def _side(value: object, default: int) -> int:
    side = int(value) if isinstance(value, int | float) else default
    return max(16, min(_MAX_SIDE, side // 2 * 2))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
