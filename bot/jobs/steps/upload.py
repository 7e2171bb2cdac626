"""Upload: files flow from Telegram to NemoVideo, those of a wish in one request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import structlog

from bot import metrics
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
from bot.jobs.steps.answered import settle_answered
from bot.jobs.steps.prompt import read_prompt
from bot.jobs.steps.received import ask_for_wish
from bot.jobs.steps.together import tell_refusals, until_quiet
from bot.jobs.workspace import Project, Workspace
from bot.nemo.answers import State, Upload
from bot.nemo.drafts import digest
from bot.nemo.errors import NemoError, ServiceError, SourceBroken, TransportError
from bot.nemo.uploads import FileToUpload
from bot.skills import Card, Cards

log = structlog.get_logger(__name__)

TRIES = 3
"""A relay can't be replayed: each try fetches the files again."""

PAUSE_S = 2.0

FILES_AT_ONCE = 10
"""In one request: as many as an album has. All are open meanwhile, the last until the others are through."""

FRACTION_BEFORE, FRACTION_AFTER = 0.05, 0.3


def upload(workspace: Workspace, cards: Cards) -> Step:
    """The step that brings the job's files to NemoVideo, each once, with what joins the job meanwhile."""

    async def step(run: Run) -> None:
        card = cards.active((await workspace.chats.get(run.job.chat)).skill, run.job.language)
        try:
            await _bring_all(workspace, run, card)
        except NemoError as error:
            raise await workspace.ended_by(run.job, error) from error
        if run.get("uploaded") is not None:
            # Only now: another attempt would have had to read them again.
            await run.front.release()
        if not run.job.text:
            await ask_for_wish(run, card)

    return step


async def _bring_all(workspace: Workspace, run: Run, card: Card) -> None:
    """Bring everything, until no more comes and the job is closed."""
    while True:
        # Words alone have not waited yet; what joined meanwhile may be followed by more.
        found = await until_quiet(run, await run.gathered())
        if found.parts:
            run.job = found.job
            await tell_refusals(run, found)
            await read_prompt(run)
        await settle_answered(workspace, run, found)
        while files := _files_left(run)[:FILES_AT_ONCE]:
            await _bring(workspace, run, "upload", partial(_send, workspace, run, card, files))
        if links := _left(run, "link", run.job.data.get("links") or ()):
            await _bring(workspace, run, "link", partial(_send_links, workspace, run, links))
        if not found.parts or await run.close(found.version):
            return


def _left(run: Run, name: str, wanted: Iterable[str]) -> list[str]:
    """What of some files or links was not brought yet."""
    done = run.get(f"{name}ed")
    if done is not None and "files" not in done:
        return []  # Of a release that brought everything at once.
    return [one for one in wanted if one not in (done or {}).get("files", ())]


def _files_left(run: Run) -> list[FileRef]:
    files = {file.file_id: file for file in run.job.files}
    refused = run.get("refused") or ()
    return [files[one] for one in _left(run, "upload", files) if one not in refused]


Send = Callable[[str], Awaitable[None]]
"""Sends everything in one request, given a digest of what the project had before; keeps what came of it."""


async def _bring(workspace: Workspace, run: Run, name: str, send: Send) -> None:
    """Send once, whatever breaks; keeps the checkpoints ``…ing`` and ``…ed`` under a name."""
    # An attempt that died may have got everything across: then the project has changed since.
    for tried in range(1, TRIES + 1):
        known = _known(await _state(workspace, run.job))
        started = run.get(f"{name}ing")
        if started is not None and not _left(run, name, started.get("files", ("",))):
            started = None  # Of what was brought before.
        if tried == 1 and started is not None and started["before"] == known:
            # All of it may have arrived and not be worked in yet; sent again, the clip would be there twice.
            await run.clock.sleep(PAUSE_S)
            known = _known(await _state(workspace, run.job))
        if started is not None and started["before"] != known:
            log.info("upload.had_arrived")
            whole = [file.file_id for file in run.job.files] if name == "upload" else run.job.data["links"]
            await _keep(workspace, run, name, started["size"], dict.fromkeys(started.get("files", whole)))
            return
        try:
            await send(known)
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
            return


def _known(state: State) -> str:
    """A digest of the project's uploads; none at all may be told in several ways."""
    return digest(state.video_infos or None)


async def _keep(workspace: Workspace, run: Run, name: str, size: int, files: Mapping[str, Any]) -> None:
    """Keep what was brought, each with what NemoVideo said of it."""
    # With the session: a request that is tried again need not bring its files into the same project twice.
    session_id = (await workspace.chats.get(run.job.chat)).session_id
    before = run.get(f"{name}ed") or {"size": 0, "files": {}}
    all_files = before["files"] | files
    await run.save(f"{name}ed", {"size": before["size"] + size, "session": session_id, "files": all_files})


async def _send_links(workspace: Workspace, run: Run, links: Sequence[str], known: str) -> None:
    """Have NemoVideo fetch the job's links. How much that is, nobody tells."""

    async def attempt(project: Project) -> None:
        await run.save("linking", {"before": known, "size": 0, "files": links})
        await workspace.nemo.upload_urls(project.who, project.session_id, links)

    run.front.progress(Progress("live.upload_links", {"n": len(links)}, fraction=FRACTION_BEFORE))
    try:
        await workspace.call(run.job, attempt)
    except ServiceError as error:
        if type(error) is not ServiceError or error.outcome_unknown:
            raise
        # Of no documented kind: there was nothing behind the address that it could use.
        raise Ended(Notice("link.not_fetched")) from error
    await _keep(workspace, run, "link", 0, dict.fromkeys(links))


async def _send(workspace: Workspace, run: Run, card: Card, files: Sequence[FileRef], known: str) -> None:
    """Send files in one request."""

    async def attempt(project: Project) -> None:
        async with contextlib.AsyncExitStack() as stack:
            opened = await _open_all(workspace, run, card, files, stack)
            if not opened:
                return
            total = sum(file.size for file in opened.values())
            await run.weigh((run.get("uploaded") or {"size": 0})["size"] + total)
            await run.save("uploading", {"before": known, "size": total, "files": list(opened)})
            meter = _meter(run, total)
            answer = await workspace.nemo.upload_files(
                project.who, project.session_id, metered(list(opened.values()), meter)
            )
            await _keep(workspace, run, "upload", total, _facts(opened, answer))
            for file in files:
                if file.message_id is not None and file.file_id in opened:
                    name = opened[file.file_id].name
                    job = run.job
                    await workspace.chats.remember_upload(
                        job.chat, job.place, file.message_id, project.session_id, name
                    )

    await workspace.call(run.job, attempt)


def _facts(opened: Mapping[str, OpenFile], answer: Upload) -> dict[str, Any]:
    """What is known of each file now, by its id."""
    known = {file_id: {"size": file.size, "name": file.name} for file_id, file in opened.items()}
    if len(answer.files) != len(opened):
        return known
    return {
        file_id: {
            **facts,
            "kind": told.file_type,
            "duration_s": told.duration_s,
            "width": told.width,
            "height": told.height,
        }
        for (file_id, facts), told in zip(known.items(), answer.files, strict=True)
    }


async def _open_all(
    workspace: Workspace,
    run: Run,
    card: Card,
    files: Sequence[FileRef],
    stack: contextlib.AsyncExitStack,
) -> dict[str, OpenFile]:
    """Open files, by their ids; those that can't be used are told and left out.

    Raises:
        Ended: None of the job's files can be used.
    """
    opened: dict[str, OpenFile] = {}
    for file in files:
        left_out = list(run.get("refused") or ())
        if file.file_id in left_out:
            continue
        try:
            opened[file.file_id] = await _open(workspace, run, card, file, stack)
        except Ended as refused:
            if len(left_out) + 1 >= len(run.job.files) or refused.message is None:
                raise
            await run.front.say(f"unusable.{len(left_out)}", refused.message)
            await run.save("refused", [*left_out, file.file_id])
    names = _distinct([file.name for file in opened.values()])
    return {
        file_id: replace(file, name=name) for (file_id, file), name in zip(opened.items(), names, strict=True)
    }


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of which no two are the same: NemoVideo and its agent tell files apart by them."""
    given: list[str] = []
    for name in names:
        path, number, one = PurePath(name), 1, name
        while one in given:
            number += 1
            one = f"{path.stem} ({number}){path.suffix}"
        given.append(one)
    return given


def metered(opened: Sequence[OpenFile], meter: Callable[[int], None]) -> list[FileToUpload]:
    """Give open files as they are uploaded.

    Args:
        opened: The files.
        meter: Is told the length of each chunk that is read.
    """
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
        metrics.UPLOADED.inc(len(chunk))
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
        raise Ended(telegram_refused(file.size, error.limit)) from error
    if opened.size == 0:
        raise Ended(Notice("error.file_empty", {"name": file.name}))
    if card.is_picky and not card.takes(opened.name):
        raise Ended(kind_refused(file.name, card))
    if opened.size > size_limit(workspace.options.size_limit, card):
        raise Ended(size_refused(workspace.options.size_limit, card))
    return opened


async def _state(workspace: Workspace, job: Job) -> State:
    return await workspace.call(job, lambda project: workspace.nemo.state(project.who, project.session_id))
