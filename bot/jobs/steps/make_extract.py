"""Make something else of a finished video, without credits: a GIF, a round message, its audio, a smaller version."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import structlog

from bot.jobs.buttons import ExtractKind
from bot.jobs.checkpoints import Exported, RenderStarted
from bot.jobs.messages import Bytes, LocalizedMessage, Progress
from bot.jobs.payloads import ExtractPayload
from bot.jobs.ports import FileGone, FileTooLarge, Result
from bot.jobs.steps.result_download import TooLarge, fetch
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.extracts import CannotExtract, Extract, extract
from bot.media.shrink import MAX_SOURCE_BYTES, MIN_BYTES, CannotShrink, shrink_video, smaller_path
from bot.nemo.errors import NemoError
from bot.nemo.render_answers import Render, RenderStatus
from bot.projects.projects import Projects

log = structlog.get_logger(__name__)

USUAL_S = 10.0

_SENT_AS = {
    ExtractKind.GIF: ("animation", "nemovideo.mp4", "video/mp4"),
    ExtractKind.ROUND: ("video_note", "nemovideo.mp4", "video/mp4"),
    ExtractKind.AUDIO: ("audio", "nemovideo.mp3", "audio/mpeg"),
    ExtractKind.STILL: ("photo", "nemovideo.jpg", "image/jpeg"),
}


class MakeExtract:
    """Fetch the video from Telegram, or from NemoVideo if Telegram no longer has it, and send the extract."""

    name = "make_extract"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        responder, kind = attempt.responder, attempt.job.payload_as(ExtractPayload).kind
        responder.report_progress(Progress("progress.extract", fraction=0.1, until=0.9, expected_s=USUAL_S))
        await responder.show_progress()
        path = responder.result_path
        try:
            await self._fetch(attempt, path)
            if kind is ExtractKind.FILE:
                await self._deliver(attempt, path, as_file=True)
            elif kind is ExtractKind.SMALLER:
                size = (await asyncio.to_thread(path.stat)).st_size
                if size // 2 < MIN_BYTES:
                    raise JobEnded(LocalizedMessage("extract.small_already", {"size": Bytes(size)}))
                smaller = smaller_path(path)
                await shrink_video(path, smaller, size // 2, lambda _: None)
                await self._deliver(attempt, smaller, as_file=False)
            else:
                send_as, name, content_type = _SENT_AS[kind]
                content = await extract(Extract(kind), path)
                await responder.send_file("extract", name, content_type, content, send_as)
        except (CannotExtract, CannotShrink, FileGone, FileTooLarge, TooLarge, NemoError) as error:
            log.info("make_extract.failed", kind=kind, error=str(error))
            key = "extract.failed_audio" if kind is ExtractKind.AUDIO else "extract.failed"
            raise JobEnded(LocalizedMessage(key)) from error

    async def _deliver(self, attempt: Attempt, path: Path, *, as_file: bool) -> None:
        size = (await asyncio.to_thread(path.stat)).st_size
        took_s = (attempt.clock.now() - attempt.job.asked_at).total_seconds()
        made = Exported(size_bytes=size, took_s=took_s, as_file=as_file)
        await attempt.responder.deliver("extract", Result(made, path))

    async def _fetch(self, attempt: Attempt, path: Path) -> None:
        (file,) = attempt.job.files
        try:
            async with attempt.responder.open_file(file) as opened:
                with await asyncio.to_thread(path.open, "wb") as target:
                    async for chunk in opened.chunks:
                        await asyncio.to_thread(target.write, chunk)
        except (FileGone, FileTooLarge):
            render = await self._render(attempt)
            if render is None:
                raise
            limit = min(attempt.responder.send_limit_bytes, MAX_SOURCE_BYTES)
            await self._projects.call(attempt.job, partial(fetch, self._projects.nemo, render, path, limit))

    async def _render(self, attempt: Attempt) -> Render | None:
        """Return the render that the video came from, which NemoVideo keeps for a while."""
        made = await attempt.job_queue.find(
            attempt.job.chat, attempt.job.payload_as(ExtractPayload).result_job_id
        )
        if made is None:
            return None
        started = await attempt.job_queue.load_checkpoint(made.job, RenderStarted)
        exported = await attempt.job_queue.load_checkpoint(made.job, Exported)
        if started is None or exported is None:
            return None
        return Render(started.render_id, RenderStatus.COMPLETED, url=exported.spare_link or None)
