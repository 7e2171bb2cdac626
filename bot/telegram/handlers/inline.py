"""Inline mode: list a person's latest videos in any chat, or start a request in private."""

import re
from collections.abc import Sequence
from typing import Final

import structlog
from telegram import (
    InlineQueryResult,
    InlineQueryResultCachedDocument,
    InlineQueryResultCachedMpeg4Gif,
    InlineQueryResultCachedVideo,
    InlineQueryResultsButton,
    Update,
)
from telegram.error import TelegramError
from telegram.ext import InlineQueryHandler

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.versions import Version
from bot.jobs.versions import SHARED, version_at, version_name
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers
from bot.telegram.receiving.application import Context
from bot.words import Words, bounded

log = structlog.get_logger(__name__)

INLINE_START: Final = "inline"
"""The parameter of a link to the private chat, which makes the bot do what a person typed."""

_PROJECTS: Final = 5  # the latest, whose videos are offered
_RESULTS: Final = 20
_TITLE_CHARS: Final = 60
_BUTTON_CHARS: Final = 50  # Telegram takes 64


class InlineHandlers(HandlerFamily):
    """Handles what people type behind the bot's name. Answers at once: Telegram drops late answers."""

    def _handlers(self) -> Handlers:
        return [InlineQueryHandler(self._offer)]

    async def _offer(self, update: Update, context: Context) -> None:
        query = update.inline_query
        if query is None:
            return
        person_id, typed, chats = query.from_user.id, query.query.strip(), self._chats
        words = Words(await self._submitter.chat_language(update, ChatKey(person_id)))
        results: Sequence[InlineQueryResult] = ()
        button = InlineQueryResultsButton(words.plain("inline.open"), start_parameter=INLINE_START)
        if await self._services.access.why_denied(person_id, person_id) is None:
            shared = SHARED.fullmatch(typed)
            results = [
                _result(title, mark, version, words)
                for title, mark, version in await _videos(chats, person_id, shared)
                if shared or not typed
            ]
            await chats.inline_requests.save(person_id, "" if shared else typed)
            if typed and not shared:
                text = words.plain("inline.start", words=bounded(typed, _BUTTON_CHARS))
                button = InlineQueryResultsButton(text, start_parameter=INLINE_START)

        async def answer() -> None:
            try:
                # Personal and not cached: the next person who types the same has other videos.
                await query.answer(results, cache_time=0, is_personal=True, button=button)
            except TelegramError as error:  # Too late: the person has typed on.
                log.info("inline.not_answered", error=error.message)

        context.application.create_task(answer(), update, name="inline answer")


async def _videos(
    chats: Chats, person_id: int, shared: re.Match[str] | None
) -> list[tuple[str, str, Version]]:
    """Return a person's latest videos with titles and the marks of their projects; or only the one that is shared.

    Only from their own private chat: a group's videos belong to the group.
    """
    key = ChatKey(person_id)
    if shared is not None:
        version = version_at(await chats.versions.all(key, shared["mark"]), int(shared["number"]))
        found = [] if version is None else [("", shared["mark"], version)]
    else:
        found = [
            (project.name, project.mark, version)
            for project in (await chats.project_list.all(key))[:_PROJECTS]
            for version in reversed(await chats.versions.all(key, project.mark))
        ]
    by_file: dict[str, tuple[str, str, Version]] = {}
    for name, mark, version in found:
        if version.file_id:  # An undone version has the video of an earlier one.
            by_file.setdefault(version.file_id, (name, mark, version))
    return list(by_file.values())[:_RESULTS]


def _result(name: str, mark: str, version: Version, words: Words) -> InlineQueryResult:
    title = bounded(version.words or name or words.plain("projects.unnamed"), _TITLE_CHARS)
    number = version_name(version.number)
    about = f"{name} · {number}" if name and name not in title else number
    result_id = f"{mark}-{version.number}"
    match version.kind:
        case "animation":
            return InlineQueryResultCachedMpeg4Gif(result_id, version.file_id, title=title)
        case "document":
            return InlineQueryResultCachedDocument(result_id, title, version.file_id, description=about)
        case _:
            return InlineQueryResultCachedVideo(result_id, version.file_id, title, description=about)
