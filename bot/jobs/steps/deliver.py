"""Deliver: the result reaches the chat."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import structlog

from bot.chats.chats import CachedResult, Chat, Chats
from bot.chats.project_list import project_mark
from bot.jobs.buttons import ShowMore
from bot.jobs.checkpoints import AgentAnswered, Checkpoint, Exported, PendingAnswer, SentMessage
from bot.jobs.messages import Button, DoneFraction, LocalizedMessage, Progress, with_lines
from bot.jobs.next_steps import next_buttons
from bot.jobs.ports import FileGone, Result
from bot.jobs.queue.usual_times import TimedStage, UsualTimes
from bot.jobs.steps.export import CachedResultUnusable, Export, result_of
from bot.jobs.versions import shared_as, version_buttons, version_line
from bot.jobs.worker.attempt import Attempt
from bot.projects.projects import Projects
from bot.runtime.arriving_file import NeverArrived

log = structlog.get_logger(__name__)

TRIES = 3
"""First an earlier result may be gone at Telegram, then the download of the new one may break off: one more is left."""


class ReplacingResult(Checkpoint):
    """Saved right before the project's earlier result is deleted: an attempt that was superseded stops here.

    Args:
        message_id: The message with the new result.
    """

    name = "replacing_result"
    message_id: int = 0


@dataclass(frozen=True, slots=True)
class _ShownVersion:
    """The version that a result is of."""

    lines: tuple[LocalizedMessage, ...] = ()  # says which it is, where it is not the current one
    buttons: tuple[Button, ...] = ()
    share: str = ""  # as in ``Result``


class Deliver:
    """Send the result, once, and delete the project's earlier one if the chat wants that.

    Args:
        projects: The chats' projects.
        export: Makes a result again.
        usual_times: How long whole requests usually take.
    """

    name = "deliver"

    def __init__(self, projects: Projects, export: Export, usual_times: UsualTimes) -> None:
        self._projects = projects
        self._usual_times = usual_times
        self._export = export

    async def __call__(self, attempt: Attempt) -> None:
        exported = attempt.load(Exported)
        if exported is None:
            return
        attempt.responder.report_progress(Progress("progress.deliver", fraction=DoneFraction.FETCHED))
        is_here = attempt.arriving is not None or attempt.responder.result_path.exists()
        if exported.is_fetched and not is_here:
            # Fetched by an attempt on another machine, or cleaned away.
            exported = await self._export_again(attempt)
        exported, delivered = await self._deliver(attempt, exported)
        if attempt.fetching is not None:
            await asyncio.wait({attempt.fetching})  # It is whole, and is yet to be moved to its place.
        chat = await self._projects.chats.get_for(attempt.job)
        if chat.is_latest_result(delivered.telegram_chat_id, delivered.message_id):
            await attempt.delete(PendingAnswer)  # The earlier steps saved it anew.
            return
        await self._delete_earlier(attempt, chat, delivered)
        # In one round trip, with what marks the end last: an attempt that comes after it does nothing any more.
        await asyncio.gather(
            attempt.delete(PendingAnswer),
            keep_video(self._projects.chats, chat, exported, delivered),
            self._projects.chats.save_latest_result(chat, delivered.telegram_chat_id, delivered.message_id),
        )
        if attempt.load(AgentAnswered) is not None and attempt.claimed.attempt == 1:
            took_s = attempt.clock.now().timestamp() - attempt.began_at
            await self._usual_times.learn(TimedStage.REQUEST, took_s)

    async def _deliver(self, attempt: Attempt, exported: Exported) -> tuple[Exported, SentMessage]:
        """Send the result, made again where it can't be sent as it is; return what was sent, and the message."""
        tries = 0
        while True:
            tries += 1
            name = "delivered" if attempt.load(CachedResultUnusable) is None else "delivered_anew"
            try:
                return exported, await attempt.responder.deliver(name, await self._result(attempt, exported))
            except (NeverArrived, FileGone) as error:
                if tries == TRIES:
                    raise
                if isinstance(error, FileGone):
                    await attempt.save(CachedResultUnusable())
                else:
                    log.warning("deliver.fetch_failed")
            attempt.arriving = None
            exported = await self._export_again(attempt)

    async def _version(self, attempt: Attempt, exported: Exported) -> _ShownVersion:
        """Return what is said of the version that the result is of, and its buttons."""
        chats, key = self._projects.chats, attempt.job.chat
        session_id = (await chats.get_for(attempt.job)).session_id
        if session_id is None:
            return _ShownVersion()
        mark = project_mark(session_id)
        versions = await chats.versions.all(key, mark)
        shown = next((one for one in reversed(versions) if one.draft_digest == exported.digest), None)
        if shown is None:
            return _ShownVersion()
        line = (version_line(shown, versions[-1]),) if exported.is_earlier else ()
        return _ShownVersion(line, version_buttons(versions, shown, mark), shared_as(key, shown, mark))

    async def _export_again(self, attempt: Attempt) -> Exported:
        """Return the new result; the earlier one if the project has become empty."""
        await self._export.export(attempt)
        return attempt.load(Exported) or Exported()

    async def _delete_earlier(self, attempt: Attempt, chat: Chat, delivered: SentMessage) -> None:
        """Delete the project's earlier result, if the chat wants it so.

        One that a person answered to or pinned stays, without its buttons.
        """
        if not (chat.replace_results and chat.result_message_id and chat.result_chat_id):
            return
        if chat.session_id is None or chat.result_session_id != chat.session_id:
            return
        await attempt.save(ReplacingResult(message_id=delivered.message_id))
        now = await self._projects.chats.get(chat.key)  # A person may have answered to it a moment ago.
        await attempt.responder.delete_message(
            chat.result_chat_id, chat.result_message_id, only_buttons=now.result_in_use
        )

    async def _result(self, attempt: Attempt, exported: Exported) -> Result:
        link = await self._projects.private_link(attempt.job, attempt.lost.report)
        is_private, held = attempt.job.chat.is_private, attempt.load(PendingAnswer)
        page = await self._projects.project_link(attempt.job.chat) if link is None and is_private else None
        version = await self._version(attempt, exported)
        answer = None if held is None else held.message
        if version.lines:
            answer = version.lines[0] if answer is None else with_lines(answer, version.lines)
        return replace(
            result_of(attempt, exported),
            arriving=attempt.arriving,
            browser_link=link or "",
            project_link=page or "",
            buttons=(
                *(held.message.buttons if held else ()),
                *version.buttons,
                *next_buttons(exported.next_steps),
                Button("button.more", ShowMore(attempt.job.id)),
            ),
            answer=answer,
            share=version.share,
        )


async def keep_video(chats: Chats, chat: Chat, exported: Exported, delivered: SentMessage) -> None:
    """Keep a video, for the versions of the project, and so that the same draft is not rendered and uploaded again."""
    if not delivered.file_id:
        return
    digest, kind = exported.digest, delivered.kind
    if chat.session_id is not None:
        mark = project_mark(chat.session_id)
        await chats.versions.save_video(chat.key, mark, digest, delivered.file_id, kind, delivered.picture_id)
    if not exported.file_id:
        result = CachedResult(
            draft_digest=digest, file_id=delivered.file_id, kind=kind, as_file=exported.as_file
        )
        await chats.save_result(chat.key, result)
