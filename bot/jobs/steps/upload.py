"""Upload: files flow from Telegram to NemoVideo, in one request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from bot.jobs.card_limits import kind_refused, size_limit, size_refused, telegram_refused
from bot.jobs.job import FileRef, Job
from bot.jobs.ports import (
    Button,
    Bytes,
    FileGone,
    FileNotTaken,
    FileTooLarge,
    Notice,
    OpenFile,
    Param,
    Progress,
    Seconds,
    SoundTooLong,
)
from bot.jobs.runner import Ended, Run, Step
from bot.jobs.workspace import Project, Workspace
from bot.nemo.answers import State
from bot.nemo.drafts import digest
from bot.nemo.errors import NemoError, ServiceError, SourceBroken, TransportError
from bot.nemo.uploads import FileToUpload
from bot.skills import Card, Cards

log = structlog.get_logger(__name__)

TRIES = 3
"""A relay can't be replayed: each try fetches the files again."""

PAUSE_S = 2.0

FRACTION_BEFORE, FRACTION_AFTER = 0.05, 0.3


def upload(workspace: Workspace, cards: Cards) -> Step:
    """The step that brings the job's files to NemoVideo, once."""

    async def step(run: Run) -> None:
        if run.job.files and run.get("uploaded") is None:
            chosen = (await workspace.chats.get(run.job.chat)).skill
            card = cards.active(chosen, run.job.language)
            try:
                await _bring(workspace, run, "upload", lambda known: _send(workspace, run, card, known))
            except NemoError as error:
                raise await workspace.ended_by(run.job, error) from error
            # Only now: another attempt would have had to read them again.
            await run.front.release()
        if run.job.data.get("links") and run.get("linked") is None:
            try:
                await _bring(workspace, run, "link", lambda known: _send_links(workspace, run, known))
            except NemoError as error:
                raise await workspace.ended_by(run.job, error) from error
        if not run.job.text:
            await _ask_for_wish(run)

    return step


async def _ask_for_wish(run: Run) -> None:
    if run.job.files:
        file = run.job.files[0]
        size = Bytes(run.get("uploaded")["size"])
        await run.front.say("received", Notice("upload.received", {"name": file.name, "size": size}))
    elif run.job.data.get("links"):
        n = len(run.job.data["links"])
        await run.front.say("received", Notice("upload.received_links", {"n": n}))


Send = Callable[[str], Awaitable[int]]
"""Sends everything in one request, given a digest of what the project had before; gives bytes in all."""


async def _bring(workspace: Workspace, run: Run, name: str, send: Send) -> None:
    """Send once, whatever breaks; keeps the checkpoints ``…ing`` and ``…ed`` under a name."""
    # An attempt that died may have got everything across: then the project has changed since.
    for tried in range(1, TRIES + 1):
        known = digest((await _state(workspace, run.job)).video_infos)
        started = run.get(f"{name}ing")
        if tried == 1 and started is not None and started["before"] == known:
            # All of it may have arrived and not be worked in yet; sent again, the clip would be there twice.
            await run.clock.sleep(PAUSE_S)
            known = digest((await _state(workspace, run.job)).video_infos)
        if started is not None and started["before"] != known:
            log.info("upload.had_arrived")
            await _keep(workspace, run, name, started["size"])
            return
        try:
            size = await send(known)
        except (SourceBroken, TransportError) as error:
            if tried == TRIES:
                raise Ended(
                    Notice(
                        "error.upload_failed",
                        {"reason": type(error).__name__},
                        (Button("button.retry", "retry", run.job.id),),
                    )
                ) from error
            log.warning("upload.broke", tried=tried, error=str(error))
            await run.clock.sleep(PAUSE_S * tried)
        else:
            await _keep(workspace, run, name, size)
            return


async def _keep(workspace: Workspace, run: Run, name: str, size: int) -> None:
    # With the session: a request that is tried again need not bring its files into the same project twice.
    session_id = (await workspace.chats.get(run.job.chat)).session_id
    await run.save(f"{name}ed", {"size": size, "session": session_id})


async def _send_links(workspace: Workspace, run: Run, known: str) -> int:
    """Have NemoVideo fetch the job's links. How much that is, nobody tells."""
    links = run.job.data["links"]

    async def attempt(project: Project) -> int:
        await run.save("linking", {"before": known, "size": 0})
        await workspace.nemo.upload_urls(project.who, project.session_id, links)
        return 0

    run.front.progress(Progress("live.upload_links", {"n": len(links)}, fraction=FRACTION_BEFORE))
    try:
        return await workspace.call(run.job, attempt)
    except ServiceError as error:
        if type(error) is not ServiceError or error.outcome_unknown:
            raise
        # Of no documented kind: there was nothing behind the address that it could use.
        raise Ended(Notice("link.not_fetched")) from error


async def _send(workspace: Workspace, run: Run, card: Card, known: str) -> int:
    """Send all files in one request.

    Returns:
        Bytes in all.
    """

    async def attempt(project: Project) -> int:
        async with contextlib.AsyncExitStack() as stack:
            opened = [await _open(workspace, run, card, file, stack) for file in run.job.files]
            total = sum(file.size for file in opened)
            await run.weigh(total)
            await run.save("uploading", {"before": known, "size": total})
            meter = _meter(run, total)
            await workspace.nemo.upload_files(project.who, project.session_id, _metered(opened, meter))
            return total

    return await workspace.call(run.job, attempt)


def _metered(opened: Sequence[OpenFile], meter: Callable[[int], None]) -> list[FileToUpload]:
    return [
        FileToUpload(file.name, file.content_type, file.size, _counted(file.chunks, meter)) for file in opened
    ]


def _meter(run: Run, total: int) -> Callable[[int], None]:
    done = 0

    def count(length: int) -> None:
        nonlocal done
        done += length
        share = done / total if total else 1.0
        fraction = FRACTION_BEFORE + (FRACTION_AFTER - FRACTION_BEFORE) * share
        run.front.progress(
            Progress("live.upload_sized", {"done": Bytes(done), "total": Bytes(total)}, fraction)
        )

    return count


async def _counted(chunks: AsyncIterator[bytes], meter: Callable[[int], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        meter(len(chunk))
        yield chunk


async def _open(
    workspace: Workspace, run: Run, card: Card, file: FileRef, stack: contextlib.AsyncExitStack
) -> OpenFile:
    run.front.progress(Progress("live.upload", fraction=FRACTION_BEFORE))
    try:
        opened = await stack.enter_async_context(run.front.open(file))
    except FileGone as error:
        raise Ended(Notice("error.file_gone")) from error
    except FileNotTaken as error:
        if file.content_type.startswith("video/"):
            raise Ended(Notice("error.not_a_video", {"name": file.name})) from error
        kinds = " ".join(card.file_kinds)
        raise Ended(Notice("error.file_type", {"name": file.name, "kinds": kinds})) from error
    except SoundTooLong as error:
        params: dict[str, Param] = {"name": file.name, "limit": Seconds(error.limit_s)}
        raise Ended(Notice("error.sound_too_long", params)) from error
    except FileTooLarge as error:
        size = Bytes(file.size or error.limit)
        raise Ended(telegram_refused(size, Bytes(error.limit))) from error
    if opened.size == 0:
        raise Ended(Notice("error.file_empty", {"name": file.name}))
    if card.is_picky and not card.takes(opened.name):
        raise Ended(kind_refused(file.name, card))
    if opened.size > size_limit(workspace.options.size_limit, card):
        raise Ended(size_refused(workspace.options.size_limit, card))
    return opened


async def _state(workspace: Workspace, job: Job) -> State:
    return await workspace.call(job, lambda project: workspace.nemo.state(project.who, project.session_id))
