"""One call of a Bot API method with its parameters, and the table of methods."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from bot.sandbox.botapi import entities, markup
from bot.sandbox.botapi.errors import bad_request, forbidden, migrated
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import GENERAL_TOPIC, Bot, Chat, Json, Message, World

MAX_CALLBACK_BYTES = 64
_MEMBERS = frozenset({"member", "administrator", "creator", "restricted"})
_RIGHTS = {
    "photo": "can_send_photos",
    "video": "can_send_videos",
    "audio": "can_send_audios",
    "document": "can_send_documents",
    "voice": "can_send_voice_notes",
    "video_note": "can_send_video_notes",
}
_GROUP_NAMES = {"group": "group chat", "supergroup": "supergroup chat", "channel": "channel chat"}


@dataclass(slots=True)
class Context:
    """One call of a method.

    Attributes:
        http: Returns the client that fetches files given by URL.
        answered: Runs the method call in a webhook's answer.
    """

    world: World
    bot: Bot
    params: Params
    http: Callable[[], Awaitable[httpx.AsyncClient]]
    answered: Callable[[Any], Awaitable[None]]

    def chat(self, *, write: bool = True, name: str = "chat_id") -> Chat:
        """Return the chat that a parameter names.

        Args:
            write: Whether the bot is about to write to it.
            name: The parameter's name.

        Raises:
            ApiError: The chat doesn't exist, or the bot may not write to it.
        """
        given = self.params.text(name).strip()
        if not given:
            raise bad_request(f"{name} is empty")
        chat = self._find(given)
        if chat is None:
            raise bad_request("chat not found")
        if chat.type == "private":
            if chat.blocked and write:
                raise forbidden("bot was blocked by the user")
            return chat
        if chat.migrated_to is not None and write:
            raise migrated(chat.migrated_to)
        status = chat.status(self.bot.id)
        if status not in _MEMBERS:
            how = "was kicked from" if status == "kicked" else "is not a member of"
            raise forbidden(f"bot {how} the {_GROUP_NAMES[chat.type]}")
        may_post = chat.members.get(self.bot.id, {}).get("can_post_messages", True)
        if write and chat.type == "channel" and not (status in {"administrator", "creator"} and may_post):
            raise bad_request("need administrator rights in the channel chat")
        if write and status == "restricted" and not chat.members[self.bot.id].get("can_send_messages"):
            raise bad_request("not enough rights to send text messages to the chat")
        return chat

    def may_send(self, chat: Chat, kind: str) -> None:
        """Check that a restricted bot may send a kind of medium.

        Raises:
            ApiError: The bot may not send it.
        """
        member = chat.members.get(self.bot.id, {})
        right = _RIGHTS.get(kind, "can_send_other_messages")
        if member.get("status") == "restricted" and not member.get(right):
            raise bad_request(f"not enough rights to send {kind.replace('_', ' ')}s to the chat")

    def _find(self, given: str) -> Chat | None:
        world = self.world
        if given.startswith("@"):
            wanted = given[1:].lower()
            public = (chat for chat in world.chats.values())
            return next((c for c in public if str(c.json.get("username", "")).lower() == wanted), None)
        try:
            chat_id = int(given)
        except ValueError:
            return None
        chat = world.find_chat(self.bot, chat_id)
        if chat is None and world.bot_by_id(chat_id) is not None:
            raise forbidden("bot can't send messages to bots")
        if chat is None and chat_id in world.users:
            raise forbidden("bot can't initiate conversation with a user")
        return chat

    def read_text(self, name: str, limit: int, entities_name: str, source: Params | None = None) -> Json:
        """Return a text parameter with its entities, checked.

        Args:
            name: ``text`` or ``caption``.
            limit: Maximum number of UTF-16 units after entity parsing.
            entities_name: The parameter with explicit entities; ``<name>_entities`` in newer methods.
            source: Parameters to read instead of the request's, such as an item of an album.

        Returns:
            ``{name: ..., entities_name: [...]}`` without empty values.
        """
        params = source or self.params
        text = params.text(name)
        mode = params.text("parse_mode")
        if mode:
            text, given = markup.parse(text, mode, self.world.user)
        else:
            given = entities.check_entities(params.json(entities_name, "entities"))
        text, found = entities.normalize(text, given)
        if entities.utf16_len(text) > limit:
            raise bad_request("message is too long" if name == "text" else "message caption is too long")
        if not text:
            return {}
        return {name: text, entities_name: self._with_users(found)} if found else {name: text}

    def _with_users(self, found: list[entities.Entity]) -> list[entities.Entity]:
        return [
            {**entity, "user": self.world.user(entity["user"]["id"]) or entity["user"]}
            if entity["type"] == "text_mention" and isinstance(entity.get("user"), dict)
            else entity
            for entity in found
        ]

    def thread(self, chat: Chat) -> Json:
        """Return the message fields that name its topic.

        Raises:
            ApiError: The topic doesn't exist, is closed, or is General, which has to be left out.
        """
        thread_id = self.params.integer("message_thread_id")
        if not thread_id:
            return {}
        if chat.is_forum or (chat.type == "private" and self.bot.topics):
            if thread_id not in chat.topics or (chat.is_forum and thread_id == GENERAL_TOPIC):
                raise bad_request("message thread not found")
            if thread_id in chat.closed_topics:
                raise bad_request("TOPIC_CLOSED")
            return {"message_thread_id": thread_id, "is_topic_message": True}
        if chat.type != "supergroup" or chat.find_message(thread_id) is None:
            raise bad_request("message thread not found")
        return {"message_thread_id": thread_id}

    def reply(self, chat: Chat, thread: Json) -> Json:
        """Return the message fields that name the message it replies to.

        Raises:
            ApiError: The message to reply to doesn't exist.
        """
        given = self.params.json("reply_parameters", "reply parameters")
        if not isinstance(given, dict):
            given = {
                "message_id": self.params.integer("reply_to_message_id"),
                "allow_sending_without_reply": self.params.flag("allow_sending_without_reply"),
            }
        message_id = Params(given).integer("message_id")
        if not message_id:
            return {}
        other = given.get("chat_id")
        source: Chat | None = chat
        if other is not None and str(other) != str(chat.id):
            source = self._find(str(other))
        target = source.find_message(message_id) if source else None
        if target is None:
            if given.get("allow_sending_without_reply"):
                return {}
            raise bad_request("message to be replied not found")
        quote = quote_of(target.json, str(given.get("quote") or ""), given.get("quote_entities"))
        if source is not chat:
            return {"external_reply": {"origin": origin_of(target.json), "message_id": message_id}, **quote}
        return {**reply_fields(chat, target, thread), **quote}

    def keyboard(self, source: Params | None = None) -> tuple[Json | None, Json | None]:
        """Return the ``reply_markup`` of the request, or of an object in it, as (inline keyboard, any other keyboard).

        Raises:
            ApiError: The markup, or one of its buttons, is invalid.
        """
        given = (source or self.params).json("reply_markup", "reply keyboard markup")
        if given is None:
            return None, None
        if not isinstance(given, dict):
            raise bad_request("object expected as reply markup")
        if "inline_keyboard" not in given:
            return None, given or None
        rows = given["inline_keyboard"]
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise bad_request("can't parse inline keyboard: expected an Array of Array")
        rows = [[_button(button) for button in row] for row in rows if row]
        return ({"inline_keyboard": rows} if rows else None), None

    def send(self, chat: Chat, content: Json, more: Json | None = None) -> Message:
        """Post a message of the bot, with everything the common parameters ask for.

        Args:
            chat: The chat to post to.
            content: Text or media.
            more: Further fields, such as ``media_group_id``.
        """
        thread = self.thread(chat)
        fields = {
            **sender_of(self.bot, chat),
            **thread,
            **self.reply(chat, thread),
            **content,
            **(more or {}),
        }
        inline, other = self.keyboard()
        if inline:
            fields["reply_markup"] = inline
        if self.params.flag("protect_content"):
            fields["has_protected_content"] = True
        if self.params.has("message_effect_id"):
            fields["effect_id"] = self.params.text("message_effect_id")
        return self.world.post(chat, fields, other)

    def with_own_file_ids(self, value: Any) -> Any:
        """Return a result with the file IDs of this bot."""
        return self.world.with_file_ids_of(self.bot, value)


def sender_of(bot: Bot, chat: Chat) -> Json:
    """Return the message fields that name a bot's message's sender."""
    if chat.type == "channel":
        return {"sender_chat": dict(chat.json)}
    return {"from": dict(bot.user)}


def reply_fields(chat: Chat, target: Message, thread: Json) -> Json:
    """Return the fields of a reply to a message of the same chat."""
    shown = {name: value for name, value in target.json.items() if name != "reply_to_message"}
    fields: Json = {"reply_to_message": shown}
    if chat.type == "supergroup" and not thread and not chat.is_forum:
        # Outside forums a thread is a chain of replies, named by its first message.
        fields["message_thread_id"] = target.json.get("message_thread_id", target.json["message_id"])
    elif chat.is_forum and not thread and target.json.get("is_topic_message"):
        fields |= {"message_thread_id": target.json["message_thread_id"], "is_topic_message": True}
    return fields


def quote_of(message: Json, quoted: str, given: Any = None) -> Json:
    """Return the ``quote`` field of a reply that quotes a part of a message; empty without a quoted text.

    Raises:
        ApiError: The message doesn't contain the text.
    """
    if not quoted:
        return {}
    text = str(message.get("text") or message.get("caption") or "")
    at = text.find(quoted)
    if at < 0:
        raise bad_request("QUOTE_TEXT_INVALID")
    quote: Json = {"text": quoted, "position": entities.utf16_len(text[:at]), "is_manual": True}
    if found := entities.check_entities(given):
        quote["entities"] = found
    return {"quote": quote}


_CONTENT = frozenset(
    [
        "text",
        "entities",
        "caption",
        "caption_entities",
        "photo",
        "live_photo",
        "paid_media",
        "story",
        "checklist",
        "video",
        "animation",
        "document",
        "audio",
        "voice",
        "video_note",
        "sticker",
        "has_media_spoiler",
        "show_caption_above_media",
        "link_preview_options",
    ]
)


def content_of(message: Json) -> Json:
    """Return the fields of a message that are kept when it is forwarded or copied."""
    return {name: value for name, value in message.items() if name in _CONTENT}


def origin_of(message: Json) -> Json:
    """Return the ``forward_origin`` of a forwarded message."""
    if "forward_origin" in message:
        return dict(message["forward_origin"])
    if message["chat"]["type"] == "channel":
        return {
            "type": "channel",
            "date": message["date"],
            "chat": message["chat"],
            "message_id": message["message_id"],
        }
    if "sender_chat" in message:
        return {"type": "chat", "date": message["date"], "sender_chat": message["sender_chat"]}
    return {"type": "user", "date": message["date"], "sender_user": message["from"]}


_ACTIONS = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
]
_STYLES = ("danger", "success", "primary")


def _button(button: Any) -> Json:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request('can\'t parse inline keyboard button: field "text" must be of type String')
    if not button["text"].strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if not any(button.get(name) is not None for name in _ACTIONS):
        raise bad_request("text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 0 < len(str(data).encode()) <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.get("style") not in (None, *_STYLES):
        raise bad_request("can't parse inline keyboard button: invalid button style specified")
    url = button.get("url")
    if url is not None and not str(url).startswith(("http://", "https://", "tg://")):
        if "." not in str(url) or " " in str(url):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
        button = {**button, "url": f"http://{url}"}
    return {name: value for name, value in button.items() if value is not None}


Handler = Callable[[Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the Bot API.

    Attributes:
        name: The documented name.
        run: The implementation.
        sends: Whether it counts against flood limits.
    """

    name: str
    run: Handler
    sends: bool


METHODS: dict[str, Method] = {}
"""All methods by lower-case name."""


def method(name: str, *, sends: bool = False) -> Callable[[Handler], Handler]:
    """Register a method of the Bot API."""

    def register(run: Handler) -> Handler:
        METHODS[name.lower()] = Method(name, run, sends)
        return run

    return register
