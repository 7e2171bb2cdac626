"""Methods that forward and copy messages."""

from typing import Any

from bot.sandbox.botapi.context import Context, content_of, method, origin_of
from bot.sandbox.botapi.entities import MAX_CAPTION
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.media import kind_in
from bot.sandbox.botapi.methods.sending import post_message
from bot.sandbox.botapi.state import Chat, Json, Message


def _source(context: Context) -> Chat:
    return context.chat(write=False, name="from_chat_id")


def _message(chat: Chat, message_id: int, verb: str) -> Message:
    message = chat.find_message(message_id)
    if message is None:
        raise bad_request(f"message to {verb} not found")
    if message.json.get("has_protected_content"):
        raise bad_request(f"the message can't be {'forwarded' if verb == 'forward' else 'copied'}")
    return message


def _forwarded(message: Message) -> Json:
    return {**content_of(message.json), "forward_origin": origin_of(message.json)}


def _copied(context: Context, message: Message) -> Json:
    content = content_of(message.json)
    if not content:
        raise bad_request("message can't be copied")
    if context.params.has("caption") and kind_in(content):
        content = {k: v for k, v in content.items() if k not in {"caption", "caption_entities"}}
        content |= context.read_text("caption", MAX_CAPTION, "caption_entities")
    return content


def _ids(context: Context) -> list[int]:
    given = context.params.integers("message_ids")
    if not given:
        raise bad_request("message identifiers are not specified")
    return given


@method("forwardMessage", sends=True)
async def forward_message(context: Context) -> Any:
    """Forward a message with its origin."""
    chat = context.chat()
    message = _message(_source(context), context.params.integer("message_id"), "forward")
    return context.with_own_file_ids(post_message(context, chat, _forwarded(message)).json)


@method("forwardMessages", sends=True)
async def forward_messages(context: Context) -> Any:
    """Forward messages, skipping those that don't exist."""
    chat, source = context.chat(), _source(context)
    found = [message for one in _ids(context) if (message := source.find_message(one))]
    return [{"message_id": post_message(context, chat, _forwarded(one)).json["message_id"]} for one in found]


@method("copyMessage", sends=True)
async def copy_message(context: Context) -> Any:
    """Copy a message as if the bot had written it."""
    chat = context.chat()
    message = _message(_source(context), context.params.integer("message_id"), "copy")
    return {"message_id": post_message(context, chat, _copied(context, message)).json["message_id"]}


@method("copyMessages", sends=True)
async def copy_messages(context: Context) -> Any:
    """Copy messages, skipping those that don't exist."""
    chat, source = context.chat(), _source(context)
    found = [message for one in _ids(context) if (message := source.find_message(one))]
    return [
        {"message_id": post_message(context, chat, _copied(context, one)).json["message_id"]} for one in found
    ]
