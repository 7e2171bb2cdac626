"""Upload: files flow from Telegram to NemoVideo, those of a request in one request."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from statistics import median

import structlog

from bot.chats.project_file import ProjectFile
from bot.jobs.buttons import Retry, ShowLink
from bot.jobs.checkpoints import (
    FILES,
    LINKS,
    Checkpoint,
    Uploaded,
    UploadedFile,
    UploadStarted,
    UploadUsed,
)
from bot.jobs.messages import (
    Button,
    DoneFraction,
    LocalizedMessage,
    OutgoingMessage,
    Param,
    Progress,
    Seconds,
    with_lines,
)
from bot.jobs.model import Attachment
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import FileGone, FileTooLarge, OpenFile
from bot.jobs.queue.usual_times import TimedStage, UsualTimes
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.jobs.refusal_messages import (
    continues_without,
    file_gone,
    kind_refused,
    kind_unusable,
    link_refusal,
    named_in,
    size_limit,
    size_refused,
    telegram_refused,
    with_request_kept,
)
from bot.jobs.steps.add_brand import add_brand
from bot.jobs.steps.ask_for_clip import apply_pending_example
from bot.jobs.steps.ask_for_prompt import ask_for_prompt
from bot.jobs.steps.confirmed_upload import LINK_LOOKS, confirmed, upload_failed
from bot.jobs.steps.gather import apply_parts, wait_until_quiet
from bot.jobs.steps.known_files import without_known_files
from bot.jobs.steps.upload_meter import UploadMeter, files_to_upload
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.errors import AudioTooLong, FileTypeUnsupported, PictureTooLarge
from bot.nemo.answers import AcceptedFile, ProjectState
from bot.nemo.errors import (
    FileTypeRefused,
    NemoError,
    ServiceError,
    SourceBroken,
    TransportError,
)
from bot.nemo.project_files import upload_names
from bot.projects.projects import Project, Projects
from bot.skills.cards import SkillCard, SkillCards

log = structlog.get_logger(__name__)

MAX_TRIES = 3  # a relay can't be replayed: each try fetches the files again
PAUSE_S = 2.0  # times the number of the try: the pause before the next one

FILES_AT_ONCE = 10
"""Files in one request: as many as an album has. All are open until the last one is through."""

USUAL_LINK_S = 20.0  # how long NemoVideo takes to fetch what is behind a link


class FilesRefused(Checkpoint):
    """Saved when a file among others turned out to be unusable and the chat was notified."""

    name = "files_refused"
    file_ids: tuple[str, ...] = ()  # all such files of the job


class Upload:
    """Bring the job's files and links to NemoVideo, each once, with what joins the job meanwhile."""

    name = "upload"

    def __init__(self, projects: Projects, cards: SkillCards, usual_times: UsualTimes) -> None:
        self.projects = projects
        self.usual_times = usual_times
        self._cards = cards

    async def __call__(self, attempt: Attempt) -> None:
        projects = self.projects
        card = self._cards.active((await projects.chats.get_for(attempt.job)).skill, attempt.job.language)
        await _Uploading(self, attempt, card).run()
        if attempt.load(Uploaded, FILES) is not None:
            # Only now: another attempt would have had to read them again.
            await attempt.responder.delete_file_copies()
        await apply_pending_example(projects.chats, attempt)
        if not attempt.job.prompt:
            await ask_for_prompt(attempt, card)


class _Uploading:
    """Brings what a job has, for one attempt at it."""

    def __init__(self, step: Upload, attempt: Attempt, card: SkillCard) -> None:
        self._projects = step.projects
        self._usual_times = step.usual_times
        self._attempt = attempt
        self._card = card

    async def run(self) -> None:
        """Bring everything, until no more comes and the job is closed."""
        payload = self._attempt.job.payload_as(EditPayload)
        awaited = payload.uploads_before
        if awaited and (await self._state()).uploads_digest == awaited:
            again = Button("button.uploaded", Retry(self._attempt.job.id))
            browser = Button("button.upload_in_browser", ShowLink(self._attempt.job.id))
            raise JobEnded(LocalizedMessage("upload.not_there_yet", buttons=(again, browser)))
        if payload.link_job_id:
            held = await self._attempt.job_queue.find(self._attempt.job.chat, payload.link_job_id)
            if held is not None:
                await WaitingCheckpoints(self._attempt.job_queue, held.job).save(UploadUsed())
        gathered = self._attempt.last_gathered
        if not gathered.is_text_only:
            gathered = await self._attempt.gathered()  # All that is here goes in one request.
        while True:
            # While the rest of an album is still to come, Telegram gets ready what is here.
            for file in () if gathered.closed else gathered.job.files:
                self._attempt.responder.prefetch_file(file)
            # Words alone have not waited yet; what joined meanwhile may be followed by more.
            gathered = await wait_until_quiet(self._attempt, gathered)
            await apply_parts(self._attempt, gathered)
            await add_brand(self._projects.chats, self._attempt)
            self._attempt.job = await without_known_files(self._projects, self._attempt, gathered)
            while files := _files_left(self._attempt)[:FILES_AT_ONCE]:
                await self._bring(FILES, partial(self._send_files, files))
            if links := _left(self._attempt, LINKS, self._attempt.job.payload_as(EditPayload).links):
                await self._bring(LINKS, partial(self._send_links, links))
            if not gathered.parts or await self._attempt.close(gathered.version):
                return
            gathered = await self._attempt.gathered()

    async def _bring(self, key: str, send: Callable[[ProjectState], Awaitable[None]]) -> None:
        """Send a request once, whatever breaks.

        Args:
            key: ``FILES`` or ``LINKS``.
            send: Sends it and saves ``Uploaded``, given the project's state before.
        """
        for number in range(1, MAX_TRIES + 1):
            state = await self._state()
            started = self._attempt.load(UploadStarted, key)
            unknown = () if started is None else _unknown(self._attempt, key, started)
            if not unknown:
                started = None  # It belongs to an earlier request, whose outcome is known.
            elif started is not None and _left(self._attempt, key, started.sources) != list(started.sources):
                # NemoVideo's answer named only the others; an attempt died before it left out these.
                return await self._leave_out_refused(unknown)
            if number == 1 and started is not None and started.digest_before == state.uploads_digest:
                # All of it may have arrived and not be worked in yet; sent again, the clip would be there twice.
                await self._attempt.clock.sleep(PAUSE_S)
                state = await self._state()
            if started is not None and started.digest_before != state.uploads_digest:
                # An attempt that died got everything across.
                log.info("upload.found_complete")
                await self._save_uploaded(key, started.size_bytes, dict.fromkeys(started.sources))
                return
            try:
                await send(state)
            except NemoError as error:
                if not (error.outcome_unknown or isinstance(error, SourceBroken | TransportError)):
                    raise
                if number == MAX_TRIES:
                    raise JobEnded(upload_failed(self._attempt.job)) from error
                log.warning("upload.failed", tried=number, error=str(error))
                await self._attempt.clock.sleep(PAUSE_S * number)
            else:
                return

    async def _state(self) -> ProjectState:
        return await self._projects.get_state(self._attempt.job, self._attempt.lost.offer)

    async def _save_uploaded(
        self, key: str, size_bytes: int, sources: Mapping[str, UploadedFile | None]
    ) -> None:
        session_id = (await self._projects.chats.get_for(self._attempt.job)).session_id
        before = self._attempt.load(Uploaded, key) or Uploaded()
        uploaded = Uploaded(
            session_id=session_id,
            size_bytes=before.size_bytes + size_bytes,
            sources={**before.sources, **sources},
        )
        await self._attempt.save(uploaded, key)

    async def _send_links(self, links: Sequence[str], state: ProjectState) -> None:
        """Have NemoVideo fetch the job's links. It does not say how large they are."""

        async def send(project: Project) -> None:
            started = UploadStarted(digest_before=state.uploads_digest, sources=tuple(links))
            await self._attempt.save(started, LINKS)
            nemo = self._projects.nemo
            await confirmed(
                self._attempt,
                self._state,
                state,
                nemo.upload_urls(project.credentials, project.session_id, links),
                links,
                LINK_LOOKS,
            )

        self._attempt.responder.report_progress(
            Progress(
                "progress.upload_links",
                {"n": len(links)},
                fraction=DoneFraction.CONNECTED,
                until=DoneFraction.READ,
                expected_s=USUAL_LINK_S,
            )
        )
        try:
            await self._projects.call(self._attempt.job, send, on_loss=self._attempt.lost.offer)
        except ServiceError as error:
            is_other = type(error) is not ServiceError and not isinstance(error, FileTypeRefused)
            if is_other or error.outcome_unknown:
                raise
            # There was nothing behind the address that it could use.
            state = await self._projects.call(
                self._attempt.job, lambda p: self._projects.nemo.get_state(p.credentials, p.session_id)
            )
            message = LocalizedMessage("link.not_fetched")
            refusal = link_refusal(message, has_project=state.has_content)
            raise JobEnded(with_request_kept(refusal, self._attempt.job)) from error
        await self._save_uploaded(LINKS, 0, dict.fromkeys(links))

    async def _send_files(self, files: Sequence[Attachment], state: ProjectState) -> None:
        async def send(project: Project) -> None:
            async with contextlib.AsyncExitStack() as stack:
                opened = self._with_distinct_names(files, await self._open_all(files, stack), state)
                if not opened:
                    return
                size_bytes = sum(file.size for file in opened.values())
                before = self._attempt.load(Uploaded, FILES) or Uploaded()
                await self._attempt.job_queue.record_upload_size(
                    self._attempt.claimed, before.size_bytes + size_bytes
                )
                started = UploadStarted(
                    digest_before=state.uploads_digest, size_bytes=size_bytes, sources=tuple(opened)
                )
                await self._attempt.save(started, FILES)
                opened = await _without_replaced(self._attempt, opened)
                if not opened:
                    return
                times_s = (await self._usual_times.load())[TimedStage.UPLOAD_ANSWER]
                meter = UploadMeter(self._attempt, size_bytes, median(times_s))
                chunks = files_to_upload(list(opened.values()), meter)
                nemo = self._projects.nemo
                try:
                    answer = await confirmed(
                        self._attempt,
                        self._state,
                        state,
                        nemo.upload_files(project.credentials, project.session_id, chunks),
                        [file.name for file in opened.values()],
                    )
                except FileTypeRefused as error:
                    named = named_in(error.message, [file.name for file in opened.values()])
                    if not 0 < len(named) < len(opened):
                        raise
                    # Nothing was taken in: the others go in the next request.
                    return await self._leave_out_refused(
                        {file_id for file_id, file in opened.items() if file.name in named}
                    )
                if meter.read_since_s is not None:
                    took_s = self._attempt.clock.monotonic_s() - meter.read_since_s
                    await self._usual_times.learn(TimedStage.UPLOAD_ANSWER, took_s)
                accepted = _accepted(opened, answer)
                await self._save_uploaded(FILES, size_bytes, _uploaded_files(accepted, answer))
                await self._leave_out_refused(opened.keys() - accepted.keys())
                opened = accepted
                for file in files:
                    if file.message_id is not None and file.file_id in opened:
                        name = opened[file.file_id].name
                        job = self._attempt.job
                        brought = ProjectFile(
                            telegram_chat_id=job.telegram_chat_id,
                            message_id=file.message_id,
                            session_id=project.session_id,
                            name=name,
                            file_id=file.file_id,
                            kind=file.kind,
                            size_bytes=file.size,
                            content_type=file.content_type,
                            unique_id=file.unique_id,
                        )
                        await self._projects.chats.save_project_file(job.chat, brought)

        await self._projects.call(self._attempt.job, send, on_loss=self._attempt.lost.offer)

    async def _open_all(
        self, files: Sequence[Attachment], stack: contextlib.AsyncExitStack
    ) -> dict[str, OpenFile]:
        """Open files side by side, by their ids; those that can't be used are left out, and the chat is notified.

        Raises:
            JobEnded: None of the job's files can be used.
        """
        refused = (self._attempt.load(FilesRefused) or FilesRefused()).file_ids
        usable = [file for file in files if file.file_id not in refused]
        opening = (self._open(file, stack) for file in usable)
        opened: dict[str, OpenFile] = {}
        for file, found in zip(usable, await asyncio.gather(*opening, return_exceptions=True), strict=True):
            if isinstance(found, OpenFile):
                opened[file.file_id] = found
                continue
            message = found.message if isinstance(found, JobEnded) else None
            if len(refused) + 1 >= len(self._attempt.job.files) or message is None:
                raise found
            number = self._attempt.job.files.index(file) + 1
            if isinstance(found.__cause__, FileGone):
                message = LocalizedMessage("upload.left_out", {"n": number})
            elif isinstance(message, LocalizedMessage):
                # A retry would be a second job beside this one.
                buttons = tuple(one for one in message.buttons if not isinstance(one.action, Retry))
                message = with_lines(replace(message, buttons=buttons), (continues_without(number),))
            refused = await self._leave_out(file, message)
        return opened

    async def _leave_out(self, file: Attachment, message: OutgoingMessage) -> tuple[str, ...]:
        """Say why the job goes on without a file; return all such files."""
        refused = (self._attempt.load(FilesRefused) or FilesRefused()).file_ids
        await self._attempt.responder.send(f"unusable.{len(refused)}", message)
        refused = (*refused, file.file_id)
        await self._attempt.save(FilesRefused(file_ids=refused))
        return refused

    async def _leave_out_refused(self, file_ids: Collection[str]) -> None:
        """Say which files the job goes on without because NemoVideo accepted only the others."""
        for number, file in enumerate(self._attempt.job.files, 1):
            if file.file_id in file_ids:
                message = LocalizedMessage("upload.not_accepted", {"name": file.name})
                await self._leave_out(file, with_lines(message, (continues_without(number),)))

    def _with_distinct_names(
        self, files: Sequence[Attachment], opened: Mapping[str, OpenFile], state: ProjectState
    ) -> dict[str, OpenFile]:
        """Number files of the same name: NemoVideo and its agent tell files apart by their names."""
        in_project = upload_names(state)
        supporting = self._attempt.job.payload_as(EditPayload).supporting_file_ids
        # The prompt names these already; the agent takes the latest of a name.
        named = {file.file_id for file in files if file.is_result or file.file_id in supporting}
        renamed: dict[str, OpenFile] = {}
        for file_id, file in opened.items():
            taken = {one.name for one in renamed.values()} | (set() if file_id in named else in_project)
            renamed[file_id] = replace(file, name=_free_name(file.name, taken))
        return renamed

    async def _open(self, file: Attachment, stack: contextlib.AsyncExitStack) -> OpenFile:
        self._attempt.responder.report_progress(Progress("progress.upload", fraction=DoneFraction.CONNECTED))
        opened = await open_usable(self._attempt, file, stack)
        if self._card.restricts_kinds and not self._card.takes(opened.name):
            raise JobEnded(kind_refused(file.name, self._card))
        if opened.size > size_limit(self._projects.options.size_limit, self._card):
            raise JobEnded(size_refused(self._projects.options.size_limit, self._card))
        return opened


async def open_usable(attempt: Attempt, file: Attachment, stack: contextlib.AsyncExitStack) -> OpenFile:
    """Open a file until the stack is closed.

    Raises:
        JobEnded: It can't be used; says why.
    """
    try:
        opened: OpenFile = await stack.enter_async_context(attempt.responder.open_file(file))
    except FileGone as error:
        raise JobEnded(file_gone(attempt.job, error)) from error
    except FileTypeUnsupported as error:
        raise JobEnded(kind_unusable(file.name, error.kind)) from error
    except PictureTooLarge as error:
        raise JobEnded(LocalizedMessage("error.picture_too_large", {"name": file.name})) from error
    except AudioTooLong as error:
        params: dict[str, Param] = {"name": file.name, "limit": Seconds(error.limit_s)}
        raise JobEnded(LocalizedMessage("error.sound_too_long", params)) from error
    except FileTooLarge as error:
        raise JobEnded(with_request_kept(telegram_refused(file.size, error.limit), attempt.job)) from error
    if opened.size == 0:
        raise JobEnded(LocalizedMessage("error.file_empty", {"name": file.name}))
    return opened


def _left(attempt: Attempt, key: str, sources: Sequence[str]) -> list[str]:
    """Return the files or links that are not uploaded yet."""
    uploaded = attempt.load(Uploaded, key) or Uploaded()
    return [source for source in sources if source not in uploaded.sources]


def _files_left(attempt: Attempt) -> list[Attachment]:
    files = {file.file_id: file for file in attempt.job.files}
    refused = (attempt.load(FilesRefused) or FilesRefused()).file_ids
    return [files[file_id] for file_id in _left(attempt, FILES, list(files)) if file_id not in refused]


def _unknown(attempt: Attempt, key: str, started: UploadStarted) -> list[str]:
    """Return the files or links of a request of which it is unknown whether they arrived."""
    refused = (attempt.load(FilesRefused) or FilesRefused()).file_ids
    return [source for source in _left(attempt, key, started.sources) if source not in refused]


def _accepted(opened: dict[str, OpenFile], answer: Sequence[AcceptedFile]) -> dict[str, OpenFile]:
    """Return the files that NemoVideo has accepted; all, unless it says which."""
    names = {file.name for file in answer}
    sent = {file.name: file_id for file_id, file in opened.items()}
    if not names or not names < sent.keys():
        return opened
    return {file_id: opened[file_id] for name, file_id in sent.items() if name in names}


async def _without_replaced(attempt: Attempt, opened: dict[str, OpenFile]) -> dict[str, OpenFile]:
    """Leave out files that an edit replaced before ``UploadStarted`` was saved; none is replaced after that."""
    gathered = await attempt.gathered()
    if not gathered.parts:
        return opened
    supporting = attempt.job.payload_as(EditPayload).supporting_file_ids
    current = {*supporting, *(file.file_id for file in gathered.job.files)}
    files = tuple(file for file in attempt.job.files if file.file_id in current)
    attempt.job = replace(attempt.job, files=files)
    return {file_id: file for file_id, file in opened.items() if file_id in current}


def _uploaded_files(
    opened: Mapping[str, OpenFile], accepted: Sequence[AcceptedFile]
) -> dict[str, UploadedFile | None]:
    """Describe each uploaded file, by its id."""
    if len(accepted) != len(opened):
        return {
            file_id: UploadedFile(name=file.name, size_bytes=file.size) for file_id, file in opened.items()
        }
    return {
        file_id: UploadedFile(
            name=file.name,
            size_bytes=file.size,
            kind=answered.file_type,
            duration_s=answered.duration_s,
            width=answered.width,
            height=answered.height,
        )
        for (file_id, file), answered in zip(opened.items(), accepted, strict=True)
    }


def _free_name(name: str, taken: Collection[str]) -> str:
    path, number, candidate = PurePath(name), 1, name
    while candidate in taken:
        number += 1
        candidate = f"{path.stem} ({number}){path.suffix}"
    return candidate
