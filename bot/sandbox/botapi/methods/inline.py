"""Inline mode and guest mode: answers to what somebody types behind the bot's name, and to who calls it into a chat.

Only results that Telegram has already, ``InlineQueryResultCached…``, and articles are taken.
"""

import re
import secrets
from datetime import timedelta
from typing import Any, Final

from bot.sandbox.botapi import media
from bot.sandbox.botapi.context import Context, method
from bot.sandbox.botapi.entities import MAX_CAPTION, MAX_TEXT
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import Json

_QUERY_LIFE = timedelta(seconds=30)
_QUERY_GONE = "query is too old and response timeout expired or query ID is invalid"
_MAX_RESULTS = 50
_MAX_ID_BYTES = 64
_START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{1,64}")

_CACHED: Final = {
    "video": "video_file_id",
    "mpeg4_gif": "mpeg4_file_id",
    "document": "document_file_id",
    "photo": "photo_file_id",
    "audio": "audio_file_id",
    "voice": "voice_file_id",
}
_TITLED = frozenset({"video", "document", "voice", "article"})


@method("answerInlineQuery")
async def answer_inline_query(context: Context) -> Any:
    """Answer an inline query, once and in time."""
    world, params = context.world, context.params
    query = world.inline_queries.get(params.text("inline_query_id"))
    is_open = query is not None and query.bot_id == context.bot.id and query.answer is None
    if query is None or not is_open or world.clock.now() - query.at > _QUERY_LIFE:
        raise bad_request(_QUERY_GONE)
    given = params.json("results", "inline query results") or []
    if not isinstance(given, list) or not all(isinstance(result, dict) for result in given):
        raise bad_request("can't parse inline query results: expected an Array of InlineQueryResult")
    if len(given) > _MAX_RESULTS:
        raise bad_request("RESULTS_TOO_MUCH")
    ids = [str(result.get("id", "")) for result in given]
    if not all(0 < len(one.encode()) <= _MAX_ID_BYTES for one in ids):
        raise bad_request("RESULT_ID_INVALID")
    if len(set(ids)) < len(ids):
        raise bad_request("RESULT_ID_DUPLICATE")
    contents = {one: await _content(context, result) for one, result in zip(ids, given, strict=True)}
    query.answer = {
        "results": given,
        "contents": contents,
        "button": _button(params),
        "cache_time": params.integer("cache_time", 300),
        "is_personal": params.flag("is_personal"),
    }
    world.changes.notify()
    return True


@method("answerGuestQuery", sends=True)
async def answer_guest_query(context: Context) -> Any:
    """Send a message to the chat into which the bot was called, once and in time."""
    world, params = context.world, context.params
    query = world.guest_queries.get(params.text("guest_query_id"))
    is_open = query is not None and query.bot_id == context.bot.id and query.answer is None
    if query is None or not is_open or world.clock.now() - query.at > _QUERY_LIFE:
        raise bad_request(_QUERY_GONE)
    result = params.json("result", "inline query result")
    if not isinstance(result, dict) or not 0 < len(str(result.get("id", "")).encode()) <= _MAX_ID_BYTES:
        raise bad_request("RESULT_ID_INVALID")
    content = await _content(context, result)
    keyboard, _ = context.keyboard(Params(result))
    caller = {"guest_bot_caller_user": query.user}
    markup = {"reply_markup": keyboard} if keyboard else {}
    query.answer = world.post(query.chat, {"from": dict(context.bot.user), **content, **caller, **markup})
    query.answer.inline_id = secrets.token_urlsafe(20)
    return {"inline_message_id": query.answer.inline_id}


async def _content(context: Context, result: Json) -> Json:
    """Return the content of the message that a result becomes."""
    kind = str(result.get("type", ""))
    if kind in _TITLED and not result.get("title"):
        raise bad_request('can\'t parse inline query result: field "title" must be non-empty')
    options = Params(result)
    if kind == "article":
        text = Params(result.get("input_message_content") or {})
        content = context.read_text("message_text", MAX_TEXT, "entities", text)
        return {"text" if name == "message_text" else name: value for name, value in content.items()}
    field = _CACHED.get(kind)
    if field is None or not result.get(field):
        raise bad_request("can't parse inline query result: unsupported type of the result")
    stored = context.world.files.find(str(result[field]), context.bot.id)
    content = media.from_stored(stored, "animation" if kind == "mpeg4_gif" else kind)
    return {**content, **context.read_text("caption", MAX_CAPTION, "caption_entities", options)}


def _button(params: Params) -> Json | None:
    button = params.json("button", "InlineQueryResultsButton")
    if not button:
        return None
    if not isinstance(button, dict) or not button.get("text"):
        raise bad_request('can\'t parse inline query results button: field "text" must be non-empty')
    parameter = button.get("start_parameter")
    if (parameter is None) == (button.get("web_app") is None):
        raise bad_request("inline query results button must have exactly one optional field")
    if parameter is not None and not _START_PARAMETER.fullmatch(str(parameter)):
        raise bad_request("START_PARAM_INVALID")
    return button
