"""Upload: files flow from Telegram to NemoVideo, those of a request in one request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import structlog

from bot.jobs.buttons import Retry
from bot.jobs.file_refusals import kind_refused, size_limit, size_refused, telegram_refused
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Param, Progress, Seconds
from bot.jobs.model import Attachment, Job
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import FileGone, FileTooLarge, OpenFile
from bot.jobs.steps.ask_for_prompt import ask_for_prompt
from bot.jobs.steps.gather import tell_refusals, until_quiet
from bot.jobs.steps.replied_file import skip_known_files
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.text_file_prompt import read_prompt
from bot.jobs.worker.runner import Attempt, JobEnded, Step
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.nemo.answers import ProjectState, Upload
from bot.nemo.drafts import digest
from bot.nemo.errors import NemoError, ServiceError, SourceBroken, TransportError
from bot.nemo.uploads import FileToUpload
from bot.projects.projects import Project, Projects
from bot.runtime import metrics
from bot.skills import Card, Cards

log = structlog.get_logger(__name__)

TRIES = 3
"""A relay can't be replayed: each try fetches the files again."""

PAUSE_S = 2.0

FILES_AT_ONCE = 10
"""In one request: as many as an album has. All are open meanwhile, the last until the others are through."""

FRACTION_BEFORE, FRACTION_AFTER = 0.05, 0.3


def upload(projects: Projects, cards: Cards) -> Step:
    """The step that brings the job's files to NemoVideo, each once, with what joins the job meanwhile."""

    async def step(attempt: Attempt) -> None:
        card = cards.active((await projects.chats.get(attempt.job.chat)).skill, attempt.job.language)
        try:
            await _bring_all(projects, attempt, card)
        except NemoError as error:
            raise await ended_by(projects, attempt.job, error) from error
        if attempt.get_value("uploaded") is not None:
            # Only now: another attempt would have had to read them again.
            await attempt.responder.release_files()
        if not attempt.job.text:
            await ask_for_prompt(attempt, card)

    return step


async def _bring_all(projects: Projects, attempt: Attempt, card: Card) -> None:
    """Bring everything, until no more comes and the job is closed."""
    while True:
        # Words alone have not waited yet; what joined meanwhile may be followed by more.
        found = await until_quiet(attempt, await attempt.gathered())
        if found.parts:
            attempt.job = found.job
            await tell_refusals(attempt, found)
            await read_prompt(attempt)
        await skip_known_files(projects, attempt, found)
        while files := _files_left(attempt)[:FILES_AT_ONCE]:
            await _bring(projects, attempt, "upload", partial(_send, projects, attempt, card, files))
        if links := _left(attempt, "link", attempt.job.payload_as(EditPayload).links):
            await _bring(projects, attempt, "link", partial(_send_links, projects, attempt, links))
        if not found.parts or await attempt.close(found.version):
            return


def _left(attempt: Attempt, name: str, wanted: Iterable[str]) -> list[str]:
    """What of some files or links was not brought yet."""
    done = attempt.get_value(f"{name}ed")
    if done is not None and "files" not in done:
        return []  # Of a release that brought everything at once.
    return [one for one in wanted if one not in (done or {}).get("files", ())]


def _files_left(attempt: Attempt) -> list[Attachment]:
    files = {file.file_id: file for file in attempt.job.files}
    refused = attempt.get_value("refused") or ()
    return [files[one] for one in _left(attempt, "upload", files) if one not in refused]


Send = Callable[[str], Awaitable[None]]
"""Sends everything in one request, given a digest of what the project had before; keeps what came of it."""


async def _bring(projects: Projects, attempt: Attempt, name: str, send: Send) -> None:
    """Send once, whatever breaks; keeps the checkpoints ``…ing`` and ``…ed`` under a name."""
    # An attempt that died may have got everything across: then the project has changed since.
    for tried in range(1, TRIES + 1):
        known = _known(await _state(projects, attempt.job))
        started = attempt.get_value(f"{name}ing")
        if started is not None and not _left(attempt, name, started.get("files", ("",))):
            started = None  # Of what was brought before.
        if tried == 1 and started is not None and started["before"] == known:
            # All of it may have arrived and not be worked in yet; sent again, the clip would be there twice.
            await attempt.clock.sleep(PAUSE_S)
            known = _known(await _state(projects, attempt.job))
        if started is not None and started["before"] != known:
            log.info("upload.had_arrived")
            whole = (
                [file.file_id for file in attempt.job.files]
                if name == "upload"
                else attempt.job.payload_as(EditPayload).links
            )
            await _keep(projects, attempt, name, started["size"], dict.fromkeys(started.get("files", whole)))
            return
        try:
            await send(known)
        except (SourceBroken, TransportError) as error:
            if tried == TRIES:
                raise JobEnded(
                    LocalizedMessage(
                        "error.upload_failed",
                        {"reason": type(error).__name__},
                        (Button("button.retry", Retry(attempt.job.id)),),
                    )
                ) from error
            log.warning("upload.broke", tried=tried, error=str(error))
            await attempt.clock.sleep(PAUSE_S * tried)
        else:
            return


def _known(state: ProjectState) -> str:
    """A digest of the project's uploads; none at all may be told in several ways."""
    return digest(state.video_infos or None)


async def _keep(projects: Projects, attempt: Attempt, name: str, size: int, files: Mapping[str, Any]) -> None:
    """Keep what was brought, each with what NemoVideo said of it."""
    # With the session: a request that is tried again need not bring its files into the same project twice.
    session_id = (await projects.chats.get(attempt.job.chat)).session_id
    before = attempt.get_value(f"{name}ed") or {"size": 0, "files": {}}
    all_files = before["files"] | files
    await attempt.save_value(
        f"{name}ed", {"size": before["size"] + size, "session": session_id, "files": all_files}
    )


async def _send_links(projects: Projects, attempt: Attempt, links: Sequence[str], known: str) -> None:
    """Have NemoVideo fetch the job's links. How much that is, nobody tells."""

    async def send(project: Project) -> None:
        await attempt.save_value("linking", {"before": known, "size": 0, "files": links})
        await projects.nemo.upload_urls(project.who, project.session_id, links)

    attempt.responder.report_progress(
        Progress("progress.upload_links", {"n": len(links)}, fraction=FRACTION_BEFORE)
    )
    try:
        await projects.call(attempt.job, send)
    except ServiceError as error:
        if type(error) is not ServiceError or error.outcome_unknown:
            raise
        # Of no documented kind: there was nothing behind the address that it could use.
        raise JobEnded(LocalizedMessage("link.not_fetched")) from error
    await _keep(projects, attempt, "link", 0, dict.fromkeys(links))


async def _send(
    projects: Projects, attempt: Attempt, card: Card, files: Sequence[Attachment], known: str
) -> None:
    """Send files in one request."""

    async def send(project: Project) -> None:
        async with contextlib.AsyncExitStack() as stack:
            opened = await _open_all(projects, attempt, card, files, stack)
            if not opened:
                return
            total = sum(file.size for file in opened.values())
            await attempt.record_upload_size((attempt.get_value("uploaded") or {"size": 0})["size"] + total)
            await attempt.save_value("uploading", {"before": known, "size": total, "files": list(opened)})
            meter = _meter(attempt, total)
            answer = await projects.nemo.upload_files(
                project.who, project.session_id, metered(list(opened.values()), meter)
            )
            await _keep(projects, attempt, "upload", total, _facts(opened, answer))
            for file in files:
                if file.message_id is not None and file.file_id in opened:
                    name = opened[file.file_id].name
                    job = attempt.job
                    await projects.chats.remember_upload(
                        job.chat, job.place, file.message_id, project.session_id, name
                    )

    await projects.call(attempt.job, send)


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
    projects: Projects,
    attempt: Attempt,
    card: Card,
    files: Sequence[Attachment],
    stack: contextlib.AsyncExitStack,
) -> dict[str, OpenFile]:
    """Open files, by their ids; those that can't be used are told and left out.

    Raises:
        Ended: None of the job's files can be used.
    """
    opened: dict[str, OpenFile] = {}
    for file in files:
        left_out = list(attempt.get_value("refused") or ())
        if file.file_id in left_out:
            continue
        try:
            opened[file.file_id] = await _open(projects, attempt, card, file, stack)
        except JobEnded as refused:
            if len(left_out) + 1 >= len(attempt.job.files) or refused.message is None:
                raise
            await attempt.responder.send(f"unusable.{len(left_out)}", refused.message)
            await attempt.save_value("refused", [*left_out, file.file_id])
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


def _meter(attempt: Attempt, total: int) -> Callable[[int], None]:
    done = 0

    def count(length: int) -> None:
        nonlocal done
        done += length
        share = done / total if total else 1.0
        fraction = FRACTION_BEFORE + (FRACTION_AFTER - FRACTION_BEFORE) * share
        attempt.responder.report_progress(
            Progress("progress.upload_sized", {"done": Bytes(done), "total": Bytes(total)}, fraction)
        )

    return count


async def _counted(chunks: AsyncIterator[bytes], meter: Callable[[int], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        meter(len(chunk))
        metrics.UPLOADED.inc(len(chunk))
        yield chunk


async def _open(
    projects: Projects, attempt: Attempt, card: Card, file: Attachment, stack: contextlib.AsyncExitStack
) -> OpenFile:
    attempt.responder.report_progress(Progress("progress.upload", fraction=FRACTION_BEFORE))
    try:
        opened = await stack.enter_async_context(attempt.responder.open_file(file))
    except FileGone as error:
        raise JobEnded(LocalizedMessage("error.file_gone")) from error
    except FileTypeUnsupported as error:
        if file.content_type.startswith("video/"):
            raise JobEnded(LocalizedMessage("error.not_a_video", {"name": file.name})) from error
        kinds = " ".join(card.file_kinds)
        raise JobEnded(LocalizedMessage("error.file_type", {"name": file.name, "kinds": kinds})) from error
    except AudioTooLong as error:
        params: dict[str, Param] = {"name": file.name, "limit": Seconds(error.limit_s)}
        raise JobEnded(LocalizedMessage("error.sound_too_long", params)) from error
    except FileTooLarge as error:
        raise JobEnded(telegram_refused(file.size, error.limit)) from error
    if opened.size == 0:
        raise JobEnded(LocalizedMessage("error.file_empty", {"name": file.name}))
    if card.is_picky and not card.takes(opened.name):
        raise JobEnded(kind_refused(file.name, card))
    if opened.size > size_limit(projects.options.size_limit, card):
        raise JobEnded(size_refused(projects.options.size_limit, card))
    return opened


async def _state(projects: Projects, job: Job) -> ProjectState:
    return await projects.call(job, lambda project: projects.nemo.state(project.who, project.session_id))
