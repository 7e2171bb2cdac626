"""Methods that send: text, media, albums, chat actions, drafts and reactions."""

from typing import Any
from uuid import uuid4

from bot.sandbox.botapi import media
from bot.sandbox.botapi.context import Context, Handler, method
from bot.sandbox.botapi.entities import MAX_CAPTION, MAX_TEXT, utf16_len
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.people import repost_to_group
from bot.sandbox.botapi.state import Chat, Json, Message

_CHAT_ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "record_audio",
        "upload_audio",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
        "cancel",
    ]
)
_CAPTIONED = frozenset({"photo", "video", "animation", "audio", "document", "voice"})
MAX_ALBUM = 10


def post_message(context: Context, chat: Chat, content: Json, more: Json | None = None) -> Message:
    """Post a bot's message, and a channel's to its discussion group too."""
    message = context.send(chat, content, more)
    if chat.type == "channel" and chat.linked is not None:
        repost_to_group(context.world, chat, message, but=context.bot)
    return message


@method("sendMessage", sends=True)
async def send_message(context: Context) -> Any:
    """Send a text."""
    chat = context.chat()
    content = context.read_text("text", MAX_TEXT, "entities")
    if not content:
        raise bad_request("message text is empty")
    preview = context.params.json("link_preview_options", "link preview options")
    if isinstance(preview, dict) and preview:
        content["link_preview_options"] = preview
    return context.with_own_file_ids(post_message(context, chat, content).json)


def _sender(kind: str) -> Handler:
    async def send(context: Context) -> Any:
        chat = context.chat()
        context.may_send(chat, kind)
        caption = context.read_text("caption", MAX_CAPTION, "caption_entities") if kind in _CAPTIONED else {}
        content = await media.from_request(context, kind, kind)
        return context.with_own_file_ids(
            post_message(context, chat, {**content, **caption, **_looks(context.params)}).json
        )

    return send


def _looks(params: Params) -> Json:
    names = {"has_spoiler": "has_media_spoiler", "show_caption_above_media": "show_caption_above_media"}
    return {shown: True for given, shown in names.items() if params.flag(given)}


for _kind, _name in {
    "photo": "sendPhoto",
    "audio": "sendAudio",
    "document": "sendDocument",
    "video": "sendVideo",
    "animation": "sendAnimation",
    "voice": "sendVoice",
    "video_note": "sendVideoNote",
    "sticker": "sendSticker",
}.items():
    method(_name, sends=True)(_sender(_kind))


@method("sendMediaGroup", sends=True)
async def send_media_group(context: Context) -> Any:
    """Send an album."""
    chat = context.chat()
    items = context.params.json("media", "media")
    if not isinstance(items, list):
        raise bad_request("can't parse media: expected an Array of InputMedia")
    if not all(isinstance(item, dict) for item in items):
        raise bad_request("can't parse InputMedia: expected an Object of type InputMedia")
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) > MAX_ALBUM:
        raise bad_request("too many messages to send as an album")
    kinds = {str(item.get("type")) for item in items}
    if not kinds <= {"photo", "video", "audio", "document"}:
        raise bad_request("can't parse InputMedia: media type is not allowed in an album")
    for alone in ("document", "audio"):
        if alone in kinds and len(kinds) > 1:
            raise bad_request(f"{alone.capitalize()} can't be mixed with other media types")
    contents = []
    for item in items:
        options = Params(item)
        caption = context.read_text("caption", MAX_CAPTION, "caption_entities", options)
        content = await media.from_request(context, str(item["type"]), "media", options)
        contents.append({**content, **caption, **_looks(options)})
    group = {"media_group_id": str(uuid4().int % 10**17)}
    return [
        context.with_own_file_ids(post_message(context, chat, content, group).json) for content in contents
    ]


@method("sendChatAction")
async def send_chat_action(context: Context) -> Any:
    """Show that the bot is typing, sending a video and so on."""
    chat = context.chat()
    action = context.params.text("action")
    if action not in _CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    context.thread(chat)
    context.world.actions.append({"chat_id": chat.id, "action": action, "date": context.world.now()})
    context.world.changes.notify()
    return True


@method("sendMessageDraft")
async def send_message_draft(context: Context) -> Any:
    """Show a growing draft of a text, in private chats only."""
    chat = context.chat()
    if chat.type != "private":
        raise bad_request("message drafts can be sent only to private chats")
    if not context.params.integer("draft_id"):
        raise bad_request("draft_id must be non-zero")
    content = context.read_text("text", MAX_TEXT, "entities")
    context.world.drafts.append(
        {"chat_id": chat.id, "draft_id": context.params.integer("draft_id"), **content}
    )
    context.world.changes.notify()
    return True


@method("setMessageReaction")
async def set_message_reaction(context: Context) -> Any:
    """Set the bot's reaction to a message, or remove it with an empty list."""
    chat = context.chat()
    message_id = context.params.integer("message_id")
    if chat.find_message(message_id) is None:
        raise bad_request("message to react not found")
    reactions = context.params.json("reaction", "reaction types") or []
    if not isinstance(reactions, list) or any(not isinstance(reaction, dict) for reaction in reactions):
        raise bad_request("can't parse reaction types")
    for reaction in reactions:
        if reaction.get("type") == "emoji" and utf16_len(str(reaction.get("emoji", ""))) not in range(1, 8):
            raise bad_request("REACTION_INVALID")
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    context.world.reactions[chat.id, message_id, context.bot.id] = reactions
    context.world.changes.notify()
    return True
