"""Who wrote where, and whether it was meant for the bot."""

from __future__ import annotations

import re

from telegram import Chat, ChatMember, ChatMemberRestricted, Message, MessageEntity, Update, User

from bot.chats.key import ChatKey

TELEGRAM_CHAT_ID = "telegram_chat_id"
"""What is added to chats of updates that are kept under another id, see ``telegram/receiving/application.py``."""

_GENERAL = 1
"""The topic of a forum that nothing can be sent to by its id, should a server call it one."""

_ADDRESSED = re.compile(r"/\w+@(?P<bot>\w+)")


def chat_key(message: Message) -> ChatKey:
    """The chat, and its topic in forums.

    ``message_thread_id`` is also set on plain replies in groups, and General has id 1 but must be left out when
    sending: only ``is_topic_message`` tells a real topic.
    """
    is_topic = message.is_topic_message and message.message_thread_id != _GENERAL
    topic = message.message_thread_id if is_topic else None
    return ChatKey(message.chat.id, topic)


def telegram_chat_id(chat: Chat) -> int:
    """The id that a chat has in Telegram; what is kept of it may be under the one it had before."""
    return int(chat.api_kwargs.get(TELEGRAM_CHAT_ID, chat.id))


def owner_id(update: Update) -> int:
    """Whoever asked: the person, or the chat in whose name an anonymous admin or a channel writes.

    For those the sender is the same user everywhere (1087968824, 136817688); who it was is in ``sender_chat``.
    """
    message = update.message or update.edited_message
    if message is not None and message.sender_chat is not None:
        return message.sender_chat.id
    if (user := update.effective_user) is not None:
        return user.id
    # Nobody is named: then it is the chat's.
    return update.effective_chat.id if update.effective_chat is not None else 0


def sender_id(message: Message) -> int | None:
    """Whoever wrote a message: the person, or the chat in whose name they did."""
    sender = message.sender_chat or message.from_user
    return None if sender is None else sender.id


def is_from_bot(update: Update, own_id: int) -> bool:
    """Whether another bot wrote it, whom to answer would be talk without end.

    Anonymous admins and channels write under bots' names too, but those come with a ``sender_chat``.
    """
    message = update.message
    if message is None or message.sender_chat is not None:
        return False
    user = message.from_user
    return user is not None and user.is_bot and user.id != own_id


def is_for_other_bot(message: Message, username: str) -> bool:
    """Whether a message begins with a command for another bot, such as ``/edit@other_bot``."""
    text = message.text or message.caption or ""
    addressed = _ADDRESSED.match(text)
    return addressed is not None and addressed["bot"].lower() != username.lower()


def is_for_bot(message: Message, bot_id: int, username: str) -> bool:
    """Everything in a private chat; in groups what replies to the bot or mentions it."""
    if message.chat.type == Chat.PRIVATE:
        return True
    replied = message.reply_to_message if is_reply(message) else None
    if replied is not None and replied.from_user is not None and replied.from_user.id == bot_id:
        return True
    return _mention(message, username) is not None


def without_mention(message: Message, username: str) -> str:
    """The words of a message, without a mention of the bot."""
    text = message.text or message.caption or ""
    mention = _mention(message, username)
    return text.replace(mention, "", 1).strip() if mention else text.strip()


def _mention(message: Message, username: str) -> str | None:
    found = (
        message.parse_entities([MessageEntity.MENTION])
        if message.text
        else message.parse_caption_entities([MessageEntity.MENTION])
    )
    return next((text for text in found.values() if text.lower() == f"@{username}".lower()), None)


def is_reply(message: Message) -> bool:
    """Whether a message answers another; some clients make every one of a topic answer the topic's first."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return False
    return not (message.is_topic_message and replied.message_id == message.message_thread_id)


def may_write(member: ChatMember) -> bool:
    """Whether the bot, being this in a chat, can say anything there."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member and member.can_send_messages
    return member.status not in (ChatMember.LEFT, ChatMember.BANNED)


def language_code(user: User | None) -> str | None:
    """The language that somebody's client is set to, where it tells."""
    return user.language_code if user is not None else None
