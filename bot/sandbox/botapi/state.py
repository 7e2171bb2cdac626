"""The Bot API stand-in's state: people, chats, messages, bots."""

import copy
import itertools
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot.runtime.clock import Clock
from bot.sandbox.botapi.files import FileStore
from bot.sandbox.botapi.flood import FloodGate, FloodLimits
from bot.sandbox.botapi.journal import Changes, Journal
from bot.sandbox.botapi.updates import UpdateQueue

Json = dict[str, Any]

TOKEN_SHAPE = re.compile(r"\d{1,20}:[\w-]{20,}")

ANONYMOUS_ADMIN: Json = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
CHANNEL_SENDER: Json = {
    "id": 136817688,
    "is_bot": True,
    "first_name": "Channel",
    "username": "Channel_Bot",
}
LINKED_CHANNEL: Json = {"id": 777000, "is_bot": False, "first_name": "Telegram"}

GENERAL_TOPIC = 1


@dataclass(slots=True)
class Message:
    """A message with its history.

    Attributes:
        json: The message as Telegram shows it now.
        versions: All states it had with their times, including the first.
        keyboard: Its reply keyboard, which Telegram shows to people but not in the message object.
        deleted: Time of its deletion.
        inline_id: ID of a message that a bot sent as a guest, by which alone it knows it; empty for all others.
    """

    json: Json
    versions: list[tuple[datetime, Json]] = field(default_factory=list)
    keyboard: Json | None = None
    deleted: datetime | None = None
    inline_id: str = ""


@dataclass(slots=True)
class Chat:
    """A chat of any type.

    Attributes:
        json: The chat as messages contain it.
        members: ``ChatMember`` objects without their ``user``, by user ID.
        messages: Messages by their IDs, including deleted ones.
        topics: Names of a forum's topics by thread ID.
        is_general_hidden: Whether the topic "General" is hidden.
        blocked: Whether the user blocked the bot; private chats only.
        linked: ID of a channel's discussion group or a group's channel.
        migrated_to: ID of the supergroup that replaced this group.
        pinned: IDs of pinned messages, latest last.
    """

    json: Json
    members: dict[int, Json] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    closed_topics: set[int] = field(default_factory=set)
    is_general_hidden: bool = False
    blocked: bool = False
    linked: int | None = None
    migrated_to: int | None = None
    pinned: list[int] = field(default_factory=list)
    menu_button: Json | None = None
    last_message_id: int = 0

    @property
    def id(self) -> int:
        """Telegram's chat ID."""
        return int(self.json["id"])

    @property
    def type(self) -> str:
        """``private``, ``group``, ``supergroup`` or ``channel``."""
        return str(self.json["type"])

    @property
    def is_forum(self) -> bool:
        """Return whether it has topics."""
        return bool(self.json.get("is_forum"))

    def status(self, user_id: int) -> str:
        """Return a member's status; ``left`` for strangers."""
        return str(self.members.get(user_id, {}).get("status", "left"))

    def find_message(self, message_id: int) -> Message | None:
        """Return a message, unless it was deleted."""
        message = self.messages.get(message_id)
        return message if message is not None and message.deleted is None else None


@dataclass(slots=True)
class Callback:
    """A button press.

    Attributes:
        answer: The bot's answer: text, show_alert, url.
    """

    id: str
    at: datetime
    bot_id: int
    user_id: int
    answer: Json | None = None


@dataclass(slots=True)
class InlineQuery:
    """What somebody typed behind a bot's name.

    Attributes:
        answer: The bot's answer, with the contents of the messages that its results become.
    """

    id: str
    at: datetime
    bot_id: int
    user_id: int
    words: str
    answer: Json | None = None


@dataclass(slots=True)
class GuestQuery:
    """A message that called a bot into a chat where it is no member.

    Attributes:
        answer: What the bot sent there.
    """

    id: str
    at: datetime
    bot_id: int
    user: Json
    chat: Chat
    answer: Message | None = None


@dataclass(slots=True)
class Bot:
    """A bot, its profile, its updates and its private chats.

    Attributes:
        privacy: Whether privacy mode is on, which is Telegram's default.
        topics: Whether its private chats have topics.
        inline: Whether it has inline mode.
        inline_feedback: Whether it learns which inline results are chosen.
        guest: Whether it can be called into chats where it is no member.
        texts: Names and descriptions by (field, language code).
        commands: Commands by (scope, language code).
        admin_rights: The rights that it asks for when it is added to groups (``False``) and to channels (``True``).
    """

    token: str
    user: Json
    queue: UpdateQueue
    privacy: bool = True
    topics: bool = False
    inline: bool = False
    inline_feedback: bool = False
    guest: bool = False
    private: dict[int, Chat] = field(default_factory=dict)
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    admin_rights: dict[bool, Json] = field(default_factory=dict)
    menu_button: Json = field(default_factory=lambda: {"type": "commands"})
    logged_out: bool = False

    @property
    def id(self) -> int:
        """The user ID, which its token starts with."""
        return int(self.user["id"])


class World:
    """All state of a Bot API server, in memory except for files.

    Args:
        data_dir: Directory for files.
        clock: Source of time for messages, flood limits and delays.
        local: Whether it is a server with ``--local``: large files, paths instead of downloads.
        flood_limits: Telegram's limits on sending; ``None`` for none.
        any_token: Whether every well-formed token makes a bot.
        public_links_only: Whether links into this machine's networks are not fetched.
    """

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        *,
        local: bool = False,
        flood_limits: FloodLimits | None = None,
        any_token: bool = False,
        public_links_only: bool = False,
    ) -> None:
        self.clock = clock
        self.local = local
        self.any_token = any_token
        self.public_links_only = public_links_only
        self.changes = Changes()
        self.shown = Changes()  # only what a chat shows: new, edited and deleted messages
        self.journal = Journal(clock, self.changes)
        self.flood = FloodGate(flood_limits, clock)
        self.files = FileStore(data_dir.resolve())
        self.bots: dict[str, Bot] = {}
        self._bots_by_id: dict[int, Bot] = {}
        self.users: dict[int, Json] = {}
        self.chats: dict[int, Chat] = {}
        self.callbacks: dict[str, Callback] = {}
        self.inline_queries: dict[str, InlineQuery] = {}
        self.guest_queries: dict[str, GuestQuery] = {}
        self.actions: list[Json] = []
        self.drafts: list[Json] = []
        self.reactions: dict[tuple[int, int, int], list[Json]] = {}
        # As in Telegram, private chats and basic groups share one sequence of message IDs.
        self._message_ids = itertools.count(1)
        self._user_ids = itertools.count(5_000_000_001)
        self._chat_ids = itertools.count(1_000_001)

    def now(self) -> int:
        """Return the Unix time in seconds, as in messages."""
        return int(self.clock.now().timestamp())

    # Bots

    def add_bot(self, token: str, **profile: Any) -> Bot:
        """Create a bot for a token; ``privacy`` and any field of its user may be given."""
        bot_id = int(token.partition(":")[0])
        privacy = bool(profile.pop("privacy", True))
        user = {
            "id": bot_id,
            "is_bot": True,
            "first_name": "Sandbox Bot",
            "username": f"sandbox{bot_id}_bot" if self.bots else "sandbox_bot",
            **profile,
        }
        bot = Bot(token, user, UpdateQueue(self.clock), privacy)
        self.bots[token] = self._bots_by_id[bot.id] = bot
        return bot

    def bot_of(self, token: str) -> Bot | None:
        """Return the bot of a token, created if any token is accepted."""
        bot = self.bots.get(token)
        if bot is None and self.any_token and TOKEN_SHAPE.fullmatch(token):
            bot = self.add_bot(token)
        return bot

    def bot_by_id(self, bot_id: int) -> Bot | None:
        """Return the bot with a user ID."""
        return self._bots_by_id.get(bot_id)

    # People and chats

    def add_user(self, **fields: Any) -> Json:
        """Create a person."""
        user = {"id": next(self._user_ids), "is_bot": False, "first_name": "Ada", **fields}
        user = {name: value for name, value in user.items() if value is not None}
        self.users[user["id"]] = user
        return user

    def user(self, user_id: int) -> Json | None:
        """Return a person or a bot."""
        bot = self.bot_by_id(user_id)
        return bot.user if bot else self.users.get(user_id)

    def add_chat(self, kind: Literal["group", "supergroup", "channel"], title: str, **fields: Any) -> Chat:
        """Create a group or channel."""
        number = next(self._chat_ids)
        chat_id = -number if kind == "group" else -1_000_000_000_000 - number
        given = {name: value for name, value in fields.items() if value is not None}
        chat = Chat({"id": chat_id, "title": title, "type": kind, **given})
        if chat.is_forum:
            chat.topics[GENERAL_TOPIC] = "General"
        # Message 1 says that the chat was created, before any bot joined it.
        chat.last_message_id = 1
        self.chats[chat_id] = chat
        return chat

    def private_chat(self, bot: Bot, user: Json) -> Chat:
        """Return the private chat of a bot and a person, opened if necessary."""
        chat = bot.private.get(user["id"])
        if chat is None:
            names = ("first_name", "last_name", "username")
            fields = {name: user[name] for name in names if name in user}
            chat = Chat({"id": user["id"], "type": "private", **fields})
            chat.members = {user["id"]: {"status": "member"}, bot.id: {"status": "member"}}
            bot.private[user["id"]] = chat
        return chat

    def find_chat(self, bot: Bot, chat_id: int) -> Chat | None:
        """Return the chat that a bot knows under an ID."""
        return bot.private.get(chat_id) if chat_id > 0 else self.chats.get(chat_id)

    def bots_in(self, chat: Chat) -> Iterator[Bot]:
        """Yield the bots that are members of a chat."""
        for bot in self.bots.values():
            if chat.status(bot.id) in {"member", "administrator", "creator", "restricted"}:
                yield bot

    # Messages

    def post(self, chat: Chat, content: Json, keyboard: Json | None = None) -> Message:
        """Add a message to a chat.

        Args:
            chat: The chat.
            content: The message without ``message_id``, ``date`` and ``chat``.
            keyboard: The reply keyboard sent with it.
        """
        if chat.type in {"private", "group"}:
            chat.last_message_id = next(self._message_ids)
        else:
            chat.last_message_id += 1
        json = {"message_id": chat.last_message_id, "date": self.now(), "chat": dict(chat.json), **content}
        message = Message(json, keyboard=keyboard)
        chat.messages[chat.last_message_id] = message
        self.keep_version(message)
        return message

    def keep_version(self, message: Message) -> None:
        """Add a message's current state to its history."""
        message.versions.append((self.clock.now(), copy.deepcopy(message.json)))
        self.shown.notify()
        self.changes.notify()

    def delete(self, message: Message) -> None:
        """Delete a message but keep its history for tests."""
        message.deleted = self.clock.now()
        self.shown.notify()
        self.changes.notify()

    def add_callback(self, bot: Bot, user_id: int) -> Callback:
        """Create a button press."""
        callback = Callback(str(secrets.randbits(62)), self.clock.now(), bot.id, user_id)
        self.callbacks[callback.id] = callback
        return callback

    def add_inline_query(self, bot: Bot, user_id: int, words: str) -> InlineQuery:
        """Create an inline query."""
        query = InlineQuery(str(secrets.randbits(62)), self.clock.now(), bot.id, user_id, words)
        self.inline_queries[query.id] = query
        return query

    def call_guest(self, bot: Bot, user: Json, chat: Chat, message: Json) -> None:
        """Let a message call a bot into a chat where it is no member."""
        query = GuestQuery(str(secrets.randbits(62)), self.clock.now(), bot.id, user, chat)
        self.guest_queries[query.id] = query
        self.send_update(bot, "guest_message", {**message, "guest_query_id": query.id})

    def guest_message(self, bot: Bot, inline_id: str) -> tuple[Chat, Message] | None:
        """Return the message that a bot sent as a guest, with its chat."""
        for query in self.guest_queries.values():
            message = query.answer
            if query.bot_id == bot.id and message and message.inline_id == inline_id and not message.deleted:
                return query.chat, message
        return None

    def with_file_ids_of(self, bot: Bot, value: Any) -> Any:
        """Return a deep copy with the file IDs of a bot."""
        match value:
            case dict():
                return {
                    name: self.files.id_for(bot.id, part)
                    if name in {"file_id", "small_file_id", "big_file_id"}
                    else self.with_file_ids_of(bot, part)
                    for name, part in value.items()
                }
            case list():
                return [self.with_file_ids_of(bot, part) for part in value]
        return value

    def send_update(self, bot: Bot, kind: str, payload: Json) -> None:
        """Add an update to a bot's queue."""
        bot.queue.add(kind, self.with_file_ids_of(bot, payload))
        self.changes.notify()
