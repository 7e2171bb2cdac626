"""Show the timeline, and what runs and waits."""

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import replace

import structlog

from bot.chats.project_list import project_mark
from bot.jobs.buttons import Cancel, Export, ListProjects, PlaceFiles
from bot.jobs.checkpoints import AgentAnswered, MessageSend
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param, TimelinePicture
from bot.jobs.model import Job, JobState, QueueName
from bot.jobs.question_messages import find_question, message_key, question_message
from bot.jobs.steps.timeline import timeline, unplaced_message
from bot.jobs.worker.attempt import Attempt
from bot.media.clip_look import ClipLook, read_clip_look
from bot.media.decoder_process import NotDecoded
from bot.nemo.client import NemoClient
from bot.nemo.drafts import Draft, TrackKind
from bot.nemo.errors import NemoError, RateLimited
from bot.nemo.project_files import unplaced_files
from bot.nemo.wire import Credentials
from bot.projects.projects import UNNAMED_PROJECT, Projects
from bot.runtime.tasks import cancel
from bot.words import bounded

log = structlog.get_logger(__name__)

MAX_CLIPS = 6  # drawn with a thumbnail
MAX_BYTES = 16_000_000  # of a clip; a larger one has no thumbnail
MAX_WAIT_S = 3.0
"""How long the picture of a timeline waits for what its clips look like."""

MOST_WAITING = 5  # waiting requests that are listed
_WORDS_CHARS = 60
_PROJECTS = (Button("button.projects", ListProjects()),)


class ShowStatus:
    """Answer what is on the timeline, what runs and what waits."""

    name = "show_status"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        projects, draft = self._projects, None
        unplaced: tuple[str | None, ...] = ()
        heading, tracks = timeline(None, attempt.job.chat)
        if await projects.is_set_up(attempt.job.chat):
            try:
                state = await projects.call(
                    attempt.job,
                    lambda p: projects.nemo.get_state(p.credentials, p.session_id),
                    on_loss=attempt.lost.report,
                    waits_out_rate_limit=False,
                )
            except RateLimited:
                heading = LocalizedMessage("error.busy")
            else:
                draft, unplaced = state.draft, unplaced_files(state)
                heading, tracks = timeline(draft, attempt.job.chat)
        work, question = await _work(attempt), await _question(attempt)
        waiting, cancel = await _waiting(attempt)
        place = (Button("button.place_files", PlaceFiles()),) if unplaced else ()
        if draft is None or not draft.is_ready:
            heading = unplaced_message(unplaced) if unplaced else heading
            await attempt.responder.send(
                "status", ListMessage(heading, (*tracks, *work, *waiting), (*place, *_PROJECTS, *cancel))
            )
        else:
            besides = (unplaced_message(unplaced),) if unplaced else ()
            parts = (*besides, *work, *await self._credits(attempt))
            buttons = (Button("button.export", Export()), *_PROJECTS, *place, *cancel)
            caption = ListMessage(heading, (*tracks, *parts, *waiting), buttons)
            draft = await self._with_name(attempt.job, draft)
            looks = await self._looks(attempt, draft)
            await attempt.responder.send("status", TimelinePicture(draft, caption, parts, waiting, looks))
        if question is not None:
            await attempt.responder.send("question", question)

    async def _with_name(self, job: Job, draft: Draft) -> Draft:
        """Return a draft with the name that the chat's project has in its list."""
        chats = self._projects.chats
        session_id = (await chats.get(job.chat)).session_id
        if session_id is None:
            return draft
        listed = await chats.project_list.find(job.chat, project_mark(session_id))
        if listed is not None and listed.name:
            return replace(draft, title=listed.name)
        return replace(draft, title=None) if draft.title == UNNAMED_PROJECT else draft

    async def _looks(self, attempt: Attempt, draft: Draft) -> Mapping[str, ClipLook]:
        try:
            project = await self._projects.open(attempt.job)
        except NemoError:
            return {}
        return await clip_looks(self._projects.nemo, project.credentials, draft)

    async def _credits(self, attempt: Attempt) -> tuple[LocalizedMessage, ...]:
        """Return a line with the credits, in private chats; none if one call doesn't get them."""
        if not attempt.job.chat.is_private:
            return ()
        try:
            project = await self._projects.open(attempt.job)
            credits_ = await self._projects.nemo.get_credits(project.credentials)
        except NemoError:
            return ()
        return (LocalizedMessage("status.credits", {"available": round(credits_.available or 0)}),)


async def _waiting(attempt: Attempt) -> tuple[tuple[LocalizedMessage, ...], tuple[Button, ...]]:
    """Return a line with its words, and a button that stops it, for each of the first requests that wait."""
    lines: list[LocalizedMessage] = []
    buttons: list[Button] = []
    job_ids = await attempt.job_queue.current(attempt.job.chat, QueueName.MAIN)
    for job_id in job_ids[: MOST_WAITING + 2]:  # At most one runs, and one waits for an answer.
        status = await attempt.job_queue.find(attempt.job.chat, job_id)
        if status is None or status.state is not JobState.QUEUED or len(lines) >= MOST_WAITING:
            continue
        position, text = len(lines) + 1, status.job.prompt or status.job.kind.value
        params: dict[str, Param] = {"position": position, "words": bounded(text, _WORDS_CHARS)}
        lines.append(LocalizedMessage("status.waiting_request", params))
        buttons.append(Button(text=f"❌ {position}", action=Cancel(status.job.id)))
    return tuple(lines), tuple(buttons)


async def _question(attempt: Attempt) -> ListMessage | None:
    """Return the agent's open question again: the message with it may be far up."""
    job_queue = attempt.job_queue
    job_id = await job_queue.questions.asking_job_id(attempt.job.chat)
    asking = None if job_id is None else await job_queue.find(attempt.job.chat, job_id)
    question_id = None if asking is None else await job_queue.questions.open_question_id(asking.job)
    if asking is None or question_id is None:
        return None
    found = find_question(await job_queue.load_checkpoint(asking.job, AgentAnswered), question_id)
    send = await job_queue.load_checkpoint(asking.job, MessageSend, message_key(question_id))
    if found is None or send is None:  # It is just being sent.
        return None
    return question_message(
        asking.job, found[0], question_id, found[1], await job_queue.questions.ticked_options(asking.job)
    )


async def _work(attempt: Attempt) -> tuple[LocalizedMessage, ...]:
    job_ids = await attempt.job_queue.current(attempt.job.chat, QueueName.MAIN)
    if not job_ids:
        return (LocalizedMessage("status.idle"),)
    if await attempt.job_queue.is_paused():
        first = await attempt.job_queue.find(attempt.job.chat, job_ids[0])
        if first is not None and first.state is JobState.QUEUED:
            return (LocalizedMessage("status.paused", {"n": len(job_ids)}),)
    # A job's state may lag briefly, until the worker lets go of it.
    asking = await attempt.job_queue.questions.asking_job_id(attempt.job.chat)
    lines = [LocalizedMessage("status.asking")] if asking in job_ids else []
    states = [
        one.state
        for job_id in job_ids[:2]
        if job_id != asking and (one := await attempt.job_queue.find(attempt.job.chat, job_id))
    ]
    if states.count(JobState.RUNNING) or not lines:
        lines.append(LocalizedMessage("status.working"))
    if len(job_ids) > len(lines):
        lines.append(LocalizedMessage("status.waiting", {"n": len(job_ids) - len(lines)}))
    return tuple(lines)


async def clip_looks(nemo: NemoClient, credentials: Credentials, draft: Draft) -> Mapping[str, ClipLook]:
    """Return thumbnails of the first clips that are ready in time, by the URL of their media. Never raises."""
    tracks = [track for track in draft.tracks if track.kind in (TrackKind.VIDEO, TrackKind.AUDIO)]
    media = dict.fromkeys(one.media for track in tracks for one in track.segments if one.media)
    tasks = {url: asyncio.create_task(_look(nemo, credentials, url)) for url in list(media)[:MAX_CLIPS]}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=MAX_WAIT_S)
    finally:
        await cancel(*tasks.values())
    return {
        url: look
        for url, task in tasks.items()
        if not task.cancelled() and (look := task.result()) is not None
    }


async def _look(nemo: NemoClient, credentials: Credentials, url: str) -> ClipLook | None:
    try:
        with tempfile.TemporaryFile() as file:
            async with nemo.download_file(credentials, url) as download:
                if (download.size_bytes or 0) > MAX_BYTES:
                    return None
                async for chunk in download.chunks:
                    await asyncio.to_thread(file.write, chunk)
                    if file.tell() > MAX_BYTES:
                        return None
            await asyncio.to_thread(file.flush)
            file.seek(0)
            return await read_clip_look(file)
    except (NemoError, NotDecoded, OSError) as error:
        log.info("clip_looks.not_read", error=str(error))
        return None
