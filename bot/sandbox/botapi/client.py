"""Python client of the Bot API stand-in's control API: acts as people and reads what the bot did.

::

    async with People(url) as people:
        ada = await people.person("Ada", language_code="en")
        await ada.start()
        await ada.send_file("video", clip, caption="make it shorter")
        answer = await ada.chat.wait(kind="video", timeout_s=30)
        await ada.press(answer, "Open")
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from starlette.types import ASGIApp

from bot.sandbox.botapi.faults import Faults
from bot.sandbox.botapi.transport import ControlError, Transport

__all__ = ["ChatHandle", "ControlError", "People", "Person", "Seen"]

Json = dict[str, Any]

WAIT_S = 30.0
"""Default timeout of waits, in seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as people see it.

    Attributes:
        json: The message as Telegram shows it now.
        versions: All states it had, oldest first.
        deleted_at: ISO time of its deletion, if it was deleted.
        keyboard: The reply keyboard sent with it.
        stamps: ISO time of each of its states.
    """

    json: Json
    versions: list[Json]
    deleted_at: str | None = None
    keyboard: Json | None = None
    stamps: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Seen":
        """Build one from the control API's JSON."""
        message = dict(raw)
        states = message.pop("versions", [])
        gone, keyboard = message.pop("deleted_at", None), message.pop("keyboard", None)
        return cls(
            message, [one["message"] for one in states], gone, keyboard, tuple(one["at"] for one in states)
        )

    @property
    def id(self) -> int:
        """The ``message_id``."""
        return int(self.json["message_id"])

    @property
    def chat_id(self) -> int:
        """The ID of its chat."""
        return int(self.json["chat"]["id"])

    @property
    def text(self) -> str:
        """The text or caption."""
        return str(self.json.get("text") or self.json.get("caption") or "")

    @property
    def buttons(self) -> list[str]:
        """The texts of the inline buttons."""
        rows = self.json.get("reply_markup", {}).get("inline_keyboard", [])
        return [button["text"] for row in rows for button in row]

    @property
    def media(self) -> Json:
        """The media object, or the largest size of a photo; empty without media."""
        for kind in (
            "live_photo",
            "animation",
            "video",
            "audio",
            "document",
            "voice",
            "video_note",
            "sticker",
        ):
            if kind in self.json:
                return dict(self.json[kind])
        return dict(self.json["photo"][-1]) if "photo" in self.json else {}


@dataclass(frozen=True, slots=True)
class ChatHandle:
    """A chat whose messages can be read."""

    people: "People"
    id: int
    bot: int

    async def messages(self, **filters: Any) -> list[Seen]:
        """Return its messages; filters are those of the ``messages`` action, such as ``from_bots`` and ``deleted``."""
        found = await self.people.ask("messages", chat=self.id, bot=self.bot, **filters)
        return [Seen.of(raw) for raw in found]

    async def wait_all(self, count: int, *, timeout_s: float = WAIT_S, **filters: Any) -> list[Seen]:
        """Wait until ``count`` messages match; only messages of bots, unless ``from_bots=False``.

        Raises:
            TimeoutError: Fewer messages matched in time.
        """
        filters = {"from_bots": True, **filters}
        found = await self.messages(count=count, timeout_s=timeout_s, **filters)
        if len(found) < count:
            there = [seen.text[:80] for seen in await self.messages(deleted=True)]
            raise TimeoutError(f"{len(found)} of {count} messages with {filters} came; there are {there}")
        return found

    async def wait(self, *, timeout_s: float = WAIT_S, **filters: Any) -> Seen:
        """Wait for a matching message and return the latest one.

        Raises:
            TimeoutError: No message matched in time.
        """
        return (await self.wait_all(1, timeout_s=timeout_s, **filters))[-1]

    async def topic(self, by: "Person", name: str) -> int:
        """Create a topic and return its thread ID."""
        made = await self.people.ask("add_topic", chat=self.id, user=by.id, name=name)
        return int(made["message_thread_id"])

    async def topics(self) -> dict[int, str]:
        """Return the names of the topics by their thread IDs."""
        found = await self.people.ask("topics", chat=self.id)
        return {int(thread_id): name for thread_id, name in found.items()}

    async def set_member(
        self,
        member: "Person | int",
        status: str,
        *,
        by: "Person | None" = None,
        silent: bool = False,
        **rights: Any,
    ) -> None:
        """Change the status of a person, or of a bot given by its ID."""
        await self.people.ask(
            "set_member",
            chat=self.id,
            member=member if isinstance(member, int) else member.id,
            status=status,
            user=by and by.id,
            rights=rights,
            silent=silent,
        )

    async def add_bot(self, *, admin: bool = False, by: "Person | None" = None, silent: bool = False) -> None:
        """Add the bot to the chat."""
        status = "administrator" if admin else "member"
        await self.set_member(self.bot, status, by=by, silent=silent)

    async def migrate(self, by: "Person") -> "ChatHandle":
        """Turn the group into a supergroup and return it."""
        return self.people.chat(
            int((await self.people.ask("migrate", chat=self.id, user=by.id))["id"]), self.bot
        )


@dataclass(frozen=True, slots=True)
class Person:
    """A person with a Telegram account.

    Attributes:
        chat: The person's private chat with the bot.
    """

    people: "People"
    json: Json
    chat: ChatHandle

    @property
    def id(self) -> int:
        """The user ID."""
        return int(self.json["id"])

    def _to(self, chat: ChatHandle | None) -> Json:
        target = chat or self.chat
        return {"chat": target.id, "bot": target.bot, "user": self.id}

    async def start(self, payload: str = "") -> Seen:
        """Press "Start", or open a deep link."""
        return await self.say(f"/start {payload}".strip())

    async def open(self) -> None:
        """Open the private chat without ``/start``, as if it had been started long ago."""
        await self.people.ask("open_private", user=self.id, bot=self.chat.bot)

    async def say(self, text: str, chat: ChatHandle | None = None, **where: Any) -> Seen:
        """Send a text, by default in private.

        Args:
            text: The text.
            chat: The chat to write to.
            where: ``thread``, ``reply_to`` (a message ID), ``quote``, ``sent_as``, ``reply_to_topic``,
                ``entities``, ``extra``.
        """
        return Seen.of(await self.people.ask("write", **self._to(chat), text=text, **where))

    async def send_file(
        self,
        kind: str,
        file: Path | bytes,
        chat: ChatHandle | None = None,
        *,
        name: str = "",
        content_type: str = "",
        thumbnail: Path | None = None,
        still: Path | None = None,
        qualities: Sequence[tuple[Path, str]] = (),
        edits: Seen | None = None,
        **fields: Any,
    ) -> Seen:
        """Send a file.

        Args:
            kind: ``video``, ``photo``, ``document``, ...
            file: A path, streamed from disk, or the content itself.
            chat: The chat to send to; by default the private one.
            name: The file's name; by default as on disk.
            content_type: The declared content type; guessed from the name by default.
            thumbnail: A thumbnail as JPEG.
            still: The photo of a live photo.
            qualities: Smaller versions that Telegram makes of a video, with their codecs.
            edits: A message that holds the file from now on, instead of a new one.
            fields: Further fields, such as ``caption``, ``width``, ``duration``, ``album``, ``thread``,
                ``reply_to``, ``media``.
        """
        files: dict[str, tuple[str, Path | bytes, str]] = {
            "file": (name or (file.name if isinstance(file, Path) else "file"), file, content_type)
        }
        if thumbnail is not None:
            files["thumbnail"] = (thumbnail.name, thumbnail, "image/jpeg")
        if still is not None:
            files["still"] = (still.name, still, "image/jpeg")
        for number, (path, _) in enumerate(qualities):
            files[f"quality_{number}"] = (path.name, path, "video/mp4")
        codecs = [codec for _, codec in qualities] or None
        values = {**self._to(chat), "kind": kind, "codecs": codecs, **fields}
        if edits is not None:
            values |= {"chat": edits.chat_id, "message": edits.id}
        action = "write" if edits is None else "edit"
        return Seen.of(await self.people.transport.upload(action, values, files))

    async def send_album(
        self,
        items: Sequence[tuple[str, Path]],
        chat: ChatHandle | None = None,
        *,
        caption: str = "",
        caption_on: int = 0,
        **where: Any,
    ) -> list[Seen]:
        """Send several files as an album with a caption on one of them."""
        album = str(uuid.uuid4().int % 10**17)
        return [
            await self.send_file(
                kind, path, chat, album=album, caption=caption if number == caption_on else "", **where
            )
            for number, (kind, path) in enumerate(items)
        ]

    async def forward(self, message: Seen, chat: ChatHandle | None = None, **where: Any) -> Seen:
        """Forward a message, by default to the bot; ``hidden=True`` conceals its author."""
        values = {**self._to(chat), "source": message.chat_id, "message": message.id, **where}
        return Seen.of(await self.people.ask("forward", **values))

    async def forward_all(
        self, messages: Sequence[Seen], chat: ChatHandle | None = None, *, comment: str = "", **where: Any
    ) -> list[Seen]:
        """Forward several messages of a chat at once, after a comment; return everything that was sent."""
        numbers = [message.id for message in messages]
        values = {**self._to(chat), "source": messages[0].chat_id, "messages": numbers, "comment": comment}
        return [Seen.of(raw) for raw in await self.people.ask("forward_all", **values, **where)]

    async def edit(self, message: Seen, **content: Any) -> Seen:
        """Edit a message's ``text`` or ``caption``."""
        values = {"chat": message.chat_id, "bot": self.chat.bot, "message": message.id, **content}
        return Seen.of(await self.people.ask("edit", **values))

    async def delete(self, message: Seen) -> None:
        """Delete a message."""
        await self.people.ask("delete", chat=message.chat_id, bot=self.chat.bot, message=message.id)

    async def press(
        self, message: Seen, button: str = "", *, data: str = "", timeout_s: float = WAIT_S
    ) -> Json | None:
        """Press a button and wait for the bot's answer.

        Args:
            message: The message with the button.
            button: The button's text, a part of it, or its data.
            data: Send this data instead, as a forged client can.
            timeout_s: Seconds to wait for the bot's answer; 0 doesn't wait.

        Returns:
            The answer (``text``, ``show_alert``, ``url``), or ``None`` if none came. A button with a URL is returned
            itself.
        """
        values = {"chat": message.chat_id, "bot": self.chat.bot, "message": message.id, "user": self.id}
        pressed: Json = await self.people.ask("press", **values, button=button, data=data)
        if "callback" not in pressed:
            return pressed
        answer: Json | None = await self.people.ask("callback", id=pressed["callback"], timeout_s=timeout_s)
        return answer

    async def type_inline(self, query: str, *, timeout_s: float = WAIT_S) -> Json:
        """Type something behind the bot's name in any chat, and wait for what it offers.

        Returns:
            The answer (``results``, ``button``, …) with the query's ``id``; without results if none came.
        """
        values = {"bot": self.chat.bot, "user": self.id, "query": query}
        typed: Json = await self.people.ask("inline_query", **values)
        answer: Json | None = await self.people.ask("inline_answer", id=typed["id"], timeout_s=timeout_s)
        return {"results": [], "button": None, **(answer or {}), "id": typed["id"]}

    async def pick(self, answer: Json, result_id: str, chat: ChatHandle | None = None) -> Seen:
        """Send what the bot offered to a chat, by default to the private chat with it."""
        where = chat or self.chat
        values = {"bot": self.chat.bot, "id": answer["id"], "result": result_id, "chat": where.id}
        return Seen.of(await self.people.ask("pick", **values))

    async def react(self, message: Seen, *emoji: str) -> None:
        """Set the person's reaction to a message."""
        values = {"chat": message.chat_id, "bot": self.chat.bot, "message": message.id, "user": self.id}
        await self.people.ask("react", **values, emoji=list(emoji))

    async def block(self, blocked: bool = True) -> None:
        """Block or unblock the bot."""
        await self.people.ask("block", user=self.id, bot=self.chat.bot, blocked=blocked)


class People:
    """The people of a stand-in, and its control API.

    Args:
        url: The stand-in's base URL.
        bot: ID of the bot that private chats are with; by default the first bot.
        app: The stand-in's app, if it runs in this process: asking it takes a third of the time.

    Attributes:
        faults: Switches for faults.
        transport: The connection to the control API.
    """

    def __init__(self, url: str, bot: int | None = None, app: ASGIApp | None = None) -> None:
        self.transport = Transport(url, app)
        self.faults = Faults(self.transport)
        self._bot = bot

    async def __aenter__(self) -> "People":
        if self._bot is None:
            self._bot = int((await self.ask("state"))["bots"][0]["id"])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.transport.close()

    @property
    def bot(self) -> int:
        """The bot's ID; known inside of the block."""
        if self._bot is None:
            raise RuntimeError("use People in `async with`")
        return self._bot

    async def ask(self, action: str, **values: Any) -> Any:
        """Run any action of the control API."""
        return await self.transport.ask(action, values)

    async def person(self, first_name: str = "Ada", **fields: Any) -> Person:
        """Create a person: ``language_code``, ``username``, ``is_premium``, ``last_name``."""
        json = await self.ask("add_user", first_name=first_name, **fields)
        return Person(self, json, ChatHandle(self, int(json["id"]), self.bot))

    def chat(self, chat_id: int, bot: int | None = None) -> ChatHandle:
        """Return the chat with an ID."""
        return ChatHandle(self, chat_id, bot or self.bot)

    async def new_chat(
        self,
        kind: Literal["group", "supergroup", "channel"],
        title: str,
        creator: Person,
        *members: Person,
        bot: Literal["", "member", "administrator"] = "member",
        **fields: Any,
    ) -> ChatHandle:
        """Create a group or channel; the bot is a member without an update of it, unless ``bot`` says otherwise."""
        ids = [member.id for member in members]
        json = await self.ask("add_chat", type=kind, title=title, creator=creator.id, members=ids, **fields)
        chat = self.chat(int(json["id"]))
        if bot:
            await chat.set_member(self.bot, bot, silent=True)
        return chat

    async def link(self, channel: ChatHandle, group: ChatHandle) -> None:
        """Make a group the discussion group of a channel."""
        await self.ask("link_chats", chat=group.id, channel=channel.id)

    async def calls(self, *methods: str, **filters: Any) -> list[Json]:
        """Return the calls of bots so far, filtered by ``after`` (a ``seq``), ``chat`` and ``state``."""
        found: list[Json] = await self.ask("calls", method=list(methods), **filters)
        return found

    async def wait_calls(
        self, *methods: str, count: int = 1, timeout_s: float = WAIT_S, **filters: Any
    ) -> list[Json]:
        """Wait until a number of calls ended, and return them.

        Raises:
            TimeoutError: Fewer calls ended in time.
        """
        found = await self.calls(*methods, count=count, timeout_s=timeout_s, **filters)
        if len(found) < count:
            raise TimeoutError(f"{len(found)} of {count} calls of {methods} with {filters}")
        return found

    async def confirmed(self, timeout_s: float = WAIT_S) -> bool:
        """Wait until the bot has confirmed all updates; return whether it did."""
        left = await self.ask("updates", bot=self.bot, timeout_s=timeout_s)
        return not left["pending"]

    async def download(self, file_id: str) -> bytes:
        """Return the content of a file that somebody sent."""
        return b"".join([chunk async for chunk in self.stream(file_id)])

    async def stream(self, file_id: str) -> AsyncIterator[bytes]:
        """Stream the content of a file that somebody sent."""
        async for chunk in self.transport.stream(f"/control/file/{file_id}"):
            yield chunk

    async def save(self, file_id: str, target: Path) -> None:
        """Save a file that somebody sent to disk."""
        await self.transport.save(f"/control/file/{file_id}", target)
