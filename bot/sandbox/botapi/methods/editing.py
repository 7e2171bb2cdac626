"""Methods that edit, delete and pin messages."""

from datetime import timedelta
from typing import Any

from bot.sandbox.botapi import media
from bot.sandbox.botapi.context import Context, content_of, method
from bot.sandbox.botapi.entities import MAX_CAPTION, MAX_TEXT
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import Chat, Json, Message

_DELETABLE = timedelta(hours=48)
_MAX_AT_ONCE = 100
_KINDS = frozenset({"photo", "video", "animation", "audio", "document"})


def _target(context: Context) -> Message:
    if inline_id := context.params.text("inline_message_id"):
        guest = context.world.guest_message(context.bot, inline_id)
        if guest is None:
            raise bad_request("MESSAGE_ID_INVALID")
        return guest[1]
    chat = context.chat()
    if not context.params.integer("message_id"):
        raise bad_request("message identifier is not specified")
    message = chat.find_message(context.params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if not _is_own(context, chat, message) or "forward_origin" in message.json:
        raise bad_request("message can't be edited")
    return message


def _is_own(context: Context, chat: Chat, message: Message) -> bool:
    if chat.type == "channel":
        return True
    return bool(message.json.get("from", {}).get("id") == context.bot.id)


def _changed(context: Context, message: Message, content: Json) -> Any:
    """Put new content and keyboard into a message.

    Raises:
        ApiError: The message would stay the same.
    """
    before = content_of(message.json)
    inline, _ = context.keyboard()
    same_keyboard = message.json.get("reply_markup") == inline
    if before == content and same_keyboard:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same "
            "as a current content and reply markup of the message"
        )
    for name in before:
        del message.json[name]
    message.json.pop("reply_markup", None)
    message.json |= content
    if inline:
        message.json["reply_markup"] = inline
    if before != content:
        message.json["edit_date"] = context.world.now()
    context.world.keep_version(message)
    return True if message.inline_id else context.with_own_file_ids(message.json)


@method("editMessageText", sends=True)
async def edit_message_text(context: Context) -> Any:
    """Replace the text of a text message."""
    message = _target(context)
    content = context.read_text("text", MAX_TEXT, "entities")
    if not content:
        raise bad_request("message text is empty")
    if "text" not in message.json:
        raise bad_request("there is no text in the message to edit")
    preview = context.params.json("link_preview_options", "link preview options")
    if isinstance(preview, dict) and preview:
        content["link_preview_options"] = preview
    return _changed(context, message, content)


@method("editMessageCaption", sends=True)
async def edit_message_caption(context: Context) -> Any:
    """Replace or remove a caption."""
    message = _target(context)
    caption = context.read_text("caption", MAX_CAPTION, "caption_entities")
    if media.kind_in(message.json) is None:
        raise bad_request("there is no caption in the message to edit")
    kept = {k: v for k, v in content_of(message.json).items() if k not in {"caption", "caption_entities"}}
    return _changed(context, message, {**kept, **caption})


@method("editMessageMedia", sends=True)
async def edit_message_media(context: Context) -> Any:
    """Replace the medium, or turn a text into one."""
    message = _target(context)
    given = context.params.json("media", "InputMedia")
    if not isinstance(given, dict) or given.get("type") not in _KINDS:
        raise bad_request("can't parse InputMedia: type must be specified")
    options = Params(given)
    if message.inline_id and (context.params.uploads or str(given.get("media")).startswith("attach://")):
        raise bad_request("Invalid message content specified")  # Only what is there already, or a link.
    caption = context.read_text("caption", MAX_CAPTION, "caption_entities", options)
    content = await media.from_request(context, str(given["type"]), "media", options)
    return _changed(context, message, {**content, **caption})


@method("editMessageReplyMarkup", sends=True)
async def edit_message_reply_markup(context: Context) -> Any:
    """Replace or remove the buttons."""
    message = _target(context)
    return _changed(context, message, content_of(message.json))


def _delete(context: Context, chat: Chat, message: Message) -> None:
    age = timedelta(seconds=context.world.now() - message.json["date"])
    is_admin = chat.type != "private" and chat.status(context.bot.id) in {"administrator", "creator"}
    if not is_admin:
        if chat.type != "private" and not _is_own(context, chat, message):
            raise bad_request("message can't be deleted")
        if age > _DELETABLE:
            raise bad_request("message can't be deleted for everyone")
    context.world.delete(message)


@method("deleteMessage")
async def delete_message(context: Context) -> Any:
    """Delete a message."""
    chat = context.chat()
    message = chat.find_message(context.params.integer("message_id"))
    if message is None:
        raise bad_request("message to delete not found")
    _delete(context, chat, message)
    return True


@method("deleteMessages")
async def delete_messages(context: Context) -> Any:
    """Delete messages, skipping those that don't exist."""
    chat = context.chat()
    ids = context.params.integers("message_ids")
    if not 1 <= len(ids) <= _MAX_AT_ONCE:
        raise bad_request("message identifiers are not specified")
    for message_id in ids:
        if (message := chat.find_message(message_id)) is not None:
            _delete(context, chat, message)
    return True


@method("pinChatMessage")
async def pin_chat_message(context: Context) -> Any:
    """Pin a message; needs admin rights outside private chats."""
    chat = context.chat()
    message_id = context.params.integer("message_id")
    if chat.find_message(message_id) is None:
        raise bad_request("message to pin not found")
    _may_pin(context, chat)
    chat.pinned = [other for other in chat.pinned if other != message_id] + [message_id]
    context.world.changes.notify()
    return True


@method("unpinChatMessage")
async def unpin_chat_message(context: Context) -> Any:
    """Unpin a message, by default the latest."""
    chat = context.chat()
    _may_pin(context, chat)
    message_id = context.params.integer("message_id", chat.pinned[-1] if chat.pinned else 0)
    if message_id not in chat.pinned:
        raise bad_request("message to unpin not found")
    chat.pinned.remove(message_id)
    context.world.changes.notify()
    return True


@method("unpinAllChatMessages")
async def unpin_all_chat_messages(context: Context) -> Any:
    """Unpin all messages."""
    chat = context.chat()
    _may_pin(context, chat)
    chat.pinned.clear()
    context.world.changes.notify()
    return True


def _may_pin(context: Context, chat: Chat) -> None:
    if chat.type != "private" and chat.status(context.bot.id) != "administrator":
        raise bad_request("not enough rights to manage pinned messages in the chat")
