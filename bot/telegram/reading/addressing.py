"""Who wrote where.

Whether a message is meant for the bot is decided in ``request.py``: ``_is_addressed``; ``handlers/requests.py`` leaves
other messages alone.
"""

from telegram import Chat, ChatMember, ChatMemberRestricted, Message, Update, User
from telegram.constants import ChatType

from bot.chats.key import ChatKey

TELEGRAM_CHAT_ID = "telegram_chat_id"
"""Added by ``telegram/receiving/application.py`` to the chats of updates whose stored id is another one."""

_GENERAL = 1
"""The topic General of a forum, to which nothing can be sent by its id, should a server call it a topic."""


def chat_key_of(message: Message) -> ChatKey:
    """Return the chat, and its topic in forums.

    ``message_thread_id`` is also set on plain replies in groups, and General has id 1 but must be left out when
    sending: only ``is_topic_message`` tells a real topic. Private chats with topics have no General.
    """
    is_general = message.message_thread_id == _GENERAL and message.chat.type != ChatType.PRIVATE
    is_topic = message.is_topic_message and not is_general
    topic = message.message_thread_id if is_topic else None
    return ChatKey(message.chat.id, topic)


def message_of(update: Update) -> Message:
    """Return the message of an update that a handler for new messages got."""
    if update.message is None:
        raise TypeError("registered for messages only")
    return update.message


def telegram_chat_id_of(chat: Chat) -> int:
    """Return the id that a chat has in Telegram; its stored id may be the one that it had as a group."""
    return int(chat.api_kwargs.get(TELEGRAM_CHAT_ID, chat.id))


def requester_id_of(update: Update) -> int:
    """Return who asked: the person, or the chat in whose name an anonymous admin or a channel writes.

    For those the sender is the same user everywhere (1087968824, 136817688); who it was is in ``sender_chat``.
    """
    message = update.message or update.edited_message
    if message is not None and message.sender_chat is not None:
        return message.sender_chat.id
    if (user := update.effective_user) is not None:
        return user.id
    # Nobody is named: it is the chat's own.
    return update.effective_chat.id if update.effective_chat is not None else 0


def is_from_bot(update: Update, own_id: int) -> bool:
    """Return whether another bot wrote a message; two bots that answer each other would never end.

    Anonymous admins and channels write under bots' names too, but those come with a ``sender_chat``.
    """
    message = update.message
    if message is None or message.sender_chat is not None:
        return False
    user = message.from_user
    return user is not None and user.is_bot and user.id != own_id


def is_reply(message: Message) -> bool:
    """Return whether a message replies to another; in a topic some clients make each reply to the topic's first."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return False
    return not (message.is_topic_message and replied.message_id == message.message_thread_id)


def may_write(member: ChatMember) -> bool:
    """Return whether the bot can write in a chat of which it is this member."""
    if isinstance(member, ChatMemberRestricted):
        return member.is_member and member.can_send_messages
    return member.status not in (ChatMember.LEFT, ChatMember.BANNED)


def language_code(user: User | None) -> str | None:
    """Return the language that a person's client is set to, if it says so."""
    return user.language_code if user is not None else None
