"""Actions of people, and the bots that get updates of them."""

from typing import Any

from bot.sandbox.botapi import entities
from bot.sandbox.botapi.context import content_of, origin_of, quote_of, reply_fields
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.media import kind_in
from bot.sandbox.botapi.state import (
    ANONYMOUS_ADMIN,
    CHANNEL_SENDER,
    GENERAL_TOPIC,
    LINKED_CHANNEL,
    Bot,
    Chat,
    Json,
    Message,
    World,
)

_SERVICE = frozenset(
    [
        "new_chat_members",
        "left_chat_member",
        "new_chat_title",
        "group_chat_created",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "pinned_message",
        "forum_topic_created",
        "forum_topic_closed",
        "forum_topic_reopened",
    ]
)
_PRESENT = frozenset({"member", "administrator", "creator", "restricted"})


def gets_update(bot: Bot, chat: Chat, message: Json) -> bool:
    """Return whether a bot gets an update of a message; privacy mode hides most of a group's messages."""
    status = chat.status(bot.id)
    if chat.type == "channel":
        return status in {"administrator", "creator"}
    sender = message.get("from", {})
    if sender.get("is_bot") and sender["id"] not in {ANONYMOUS_ADMIN["id"], CHANNEL_SENDER["id"]}:
        return False
    if chat.type == "private" or not bot.privacy or status in {"administrator", "creator"}:
        return True
    if _SERVICE & message.keys():
        return True
    if message.get("reply_to_message", {}).get("from", {}).get("id") == bot.id:
        return True
    text = message.get("text") or message.get("caption") or ""
    marks = message.get("entities") or message.get("caption_entities") or []
    if not any(mark["type"] == "bot_command" and mark["offset"] == 0 for mark in marks):
        return False
    _, at, named = text.split()[0].partition("@")
    return not at or named.lower() == bot.user["username"].lower()


def announce(
    world: World, chat: Chat, message: Message, *, edited: bool = False, but: Bot | None = None
) -> None:
    """Send the bots of a chat an update of a message."""
    kind = ("edited_" if edited else "") + ("channel_post" if chat.type == "channel" else "message")
    for bot in list(world.bots_in(chat)):
        if bot is not but and gets_update(bot, chat, message.json):
            world.send_update(bot, kind, message.json)


def call_guests(world: World, chat: Chat, user: Json, message: Message) -> None:
    """Call the bots in guest mode that a message names into a chat where they are no members."""
    text = message.json.get("text") or message.json.get("caption") or ""
    marks = message.json.get("entities") or message.json.get("caption_entities") or []
    named = {entities.marked(text, mark).lower() for mark in marks if mark["type"] == "mention"}
    members = list(world.bots_in(chat))
    for bot in world.bots.values():
        if bot.guest and bot not in members and f"@{bot.user['username']}".lower() in named:
            world.call_guest(bot, user, chat, message.json)


def repost_to_group(world: World, channel: Chat, message: Message, but: Bot | None = None) -> None:
    """Repost a channel's post to its discussion group, as Telegram does."""
    group = world.chats.get(channel.linked or 0)
    if group is None:
        return
    fields = {
        "from": LINKED_CHANNEL,
        "sender_chat": dict(channel.json),
        "is_automatic_forward": True,
        "forward_origin": origin_of(message.json),
        **content_of(message.json),
    }
    announce(world, group, world.post(group, fields), but=but)


def _sender(world: World, chat: Chat, user: Json, sent_as: str) -> Json:
    if chat.type == "channel":
        return {"sender_chat": dict(chat.json)}
    if not sent_as:
        return {"from": dict(user)}
    if sent_as == "anonymous":
        return {"from": ANONYMOUS_ADMIN, "sender_chat": dict(chat.json)}
    return {"from": CHANNEL_SENDER, "sender_chat": dict(world.chats[int(sent_as)].json)}


def text_content(text: str, given: list[entities.Entity], name: str = "text") -> Json:
    """Return a text or caption with its entities."""
    text, found = entities.normalize(text, given)
    names = {"text": "entities", "caption": "caption_entities"}
    if not text:
        return {}
    return {name: text, names[name]: found} if found else {name: text}


def write(
    world: World,
    chat: Chat,
    user: Json,
    content: Json,
    *,
    sent_as: str = "",
    thread_id: int = 0,
    reply_to: int = 0,
    reply_to_topic: bool = False,
    quote: str = "",
    more: Json | None = None,
) -> Message:
    """Send a message as a person.

    Args:
        world: The server's state.
        chat: The chat to write to.
        user: The person.
        content: Text or media.
        sent_as: ``anonymous``, or the ID of a channel to write as.
        thread_id: ID of the topic.
        reply_to: ID of the message to reply to.
        reply_to_topic: Whether to set ``reply_to_message`` to the topic's first message, as some clients do.
        quote: The part of the answered message's text that the reply quotes.
        more: Further fields, such as ``forward_origin``.

    Raises:
        ApiError: The person can't write there.
    """
    if chat.type == "private" and chat.blocked:
        raise bad_request("the person blocked the bot and can't write to it")
    if chat.type != "private" and chat.status(user["id"]) not in _PRESENT:
        raise bad_request("the person is not a member of the chat")
    thread: Json = {}
    if thread_id and not (chat.is_forum and thread_id == GENERAL_TOPIC):
        if thread_id not in chat.topics:
            raise bad_request("message thread not found")
        thread = {"message_thread_id": thread_id, "is_topic_message": True}
    fields = {**_sender(world, chat, user, sent_as), **thread}
    if reply_to or (reply_to_topic and thread):
        target = chat.find_message(reply_to or thread_id)
        if target is None:
            raise bad_request("message to be replied not found")
        fields |= {**reply_fields(chat, target, thread), **quote_of(target.json, quote)}
    message = world.post(chat, {**fields, **content, **(more or {})})
    announce(world, chat, message)
    if chat.type in {"group", "supergroup"}:
        call_guests(world, chat, user, message)
    if chat.type == "channel":
        repost_to_group(world, chat, message)
    return message


def forward(
    world: World,
    source: Chat,
    message: Message,
    chat: Chat,
    user: Json,
    *,
    hidden: bool = False,
    **where: Any,
) -> Message:
    """Forward a message as a person.

    Args:
        world: The server's state.
        source: The chat of the message.
        message: The message to forward.
        chat: The chat to forward to.
        user: The person who forwards.
        hidden: Whether the author's settings hide the account in forwards.
        where: Further arguments of :func:`write`.
    """
    origin = origin_of(message.json)
    if hidden and origin["type"] == "user":
        name = " ".join(
            str(origin["sender_user"][part])
            for part in ("first_name", "last_name")
            if part in origin["sender_user"]
        )
        origin = {"type": "hidden_user", "date": origin["date"], "sender_user_name": name}
    content = content_of(message.json)
    more = {"forward_origin": origin, **where.pop("more", {})}
    return write(world, chat, user, content, more=more, **where)


def edit(world: World, chat: Chat, message: Message, content: Json) -> None:
    """Edit a message as its author."""
    is_file = kind_in(content) is not None  # It may be of another kind.
    for name in content_of(message.json):
        if is_file or name in content or name in {"text", "entities", "caption", "caption_entities"}:
            del message.json[name]
    message.json |= {**content, "edit_date": world.now()}
    world.keep_version(message)
    announce(world, chat, message, edited=True)


def press(world: World, chat: Chat, message: Message, user: Json, data: str) -> str:
    """Press a button of a bot's message as a person.

    Returns:
        The ID of the callback query.
    """
    sender = message.json.get("from", {}).get("id")
    bot = world.bot_by_id(sender) if sender else next(world.bots_in(chat), None)
    if bot is None:
        raise bad_request("the message is not a bot's")
    callback = world.add_callback(bot, user["id"])
    payload = {
        "id": callback.id,
        "from": user,
        **({"inline_message_id": message.inline_id} if message.inline_id else {"message": message.json}),
        "chat_instance": str(abs(chat.id) * 7919),
        "data": data,
    }
    world.send_update(bot, "callback_query", payload)
    return callback.id


def react(world: World, chat: Chat, message: Message, user: Json, emoji: list[str]) -> None:
    """Set a person's reaction to a message."""
    key = (chat.id, message.json["message_id"], user["id"])
    new = [{"type": "emoji", "emoji": one} for one in emoji]
    payload = {
        "chat": dict(chat.json),
        "message_id": message.json["message_id"],
        "user": user,
        "date": world.now(),
        "old_reaction": world.reactions.get(key, []),
        "new_reaction": new,
    }
    world.reactions[key] = new
    for bot in list(world.bots_in(chat)):
        if chat.type == "private" or chat.status(bot.id) == "administrator":
            world.send_update(bot, "message_reaction", payload)
