"""Plays a conversation file: is its people, and holds the bot to what it must answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import av
from pydantic import SecretStr

from bot.app import App, Role
from bot.clock import Clock, SystemClock
from bot.sandbox import samples
from bot.sandbox.botapi.client import ChatHandle, People, Seen
from bot.sandbox.botapi.client import Person as Member
from bot.sandbox.conversation import (
    BotStep,
    Conversation,
    File,
    NemoStep,
    PersonStep,
    TelegramStep,
    Video,
)
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.scripts import NAMED
from bot.sandbox.services import Services, serve_services
from bot.sandbox.transcript import Transcript
from bot.settings import Settings

LOOK_AGAIN_S = 0.2
"""How long one look at the chat waits for news, in real seconds."""

SECONDS_TOLERANCE = 0.35
"""By how much a delivered video's length may differ: a frame or two, and the sound's last packet."""

LIVE_MARK = "▱"
"""Stands in every live message and in no other."""


class Unmet(Exception):
    """An expectation that did not hold; the message tells the difference."""


@contextlib.asynccontextmanager
async def running_bot(
    services: Services, data_dir: Path, clock: Clock, **settings: Any
) -> AsyncIterator[None]:
    """The real bot against the stand-ins, in this process, until the block is left."""
    chosen = Settings(
        _env_file=None,  # type: ignore[call-arg]  # of pydantic-settings, unknown to its types
        telegram_bot_token=SecretStr(services.token),
        telegram_api_url=services.telegram_url,
        nemo_api_url=services.nemo_url,
        nemo_web_url=services.nemo_url,
        data_dir=data_dir,
        **{name.lower(): value for name, value in settings.items()},
    )
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(App(chosen, clock, Role.ALL).run(stop, ready), name="bot")
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield
    finally:
        waiting.cancel()
        stop.set()
        await task


async def play(conversation: Conversation, out: Path, work_dir: Path) -> str | None:
    """Play a conversation to its end.

    Args:
        conversation: What to play.
        out: Where the transcript and the delivered files go; made when missing.
        work_dir: For everything else; empty.

    Returns:
        The difference, when an expectation did not hold.
    """
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    clock = SystemClock(conversation.speed)
    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(serve_services(work_dir / "services", clock))
        people = await stack.enter_async_context(People(services.telegram_url))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_url))
        await nemo.set(**conversation.nemo)
        player = Player(conversation, people, nemo, clock, out, work_dir)
        await player.gather()
        await stack.enter_async_context(
            running_bot(services, work_dir / "bot", clock, **conversation.settings)
        )
        try:
            await player.play()
        except Unmet as error:
            return str(error)
        finally:
            await player.write_down()
    return None


class Player:
    """One performance of a conversation.

    Args:
        conversation: What to play.
        people: Telegram's control API.
        nemo: NemoVideo's.
        clock: The conversation's time.
        out: Where delivered files go.
        work_dir: Where files to send are made.
    """

    def __init__(
        self,
        conversation: Conversation,
        people: People,
        nemo: NemoControl,
        clock: Clock,
        out: Path,
        work_dir: Path,
    ) -> None:
        self._conversation = conversation
        self._people = people
        self._nemo = nemo
        self._out = out
        self._work_dir = work_dir
        self._members: dict[str, Member] = {}
        self._chats: dict[str, ChatHandle] = {}
        self._topics: dict[tuple[str, str], int] = {}
        self._labels: dict[str, Seen] = {}
        self._answered: dict[int, int] = {}  # chat id → the last message that met an expectation
        self._last_actor = next(iter(conversation.people))
        self._last_chat: str | None = None
        self._files = 0
        self._transcript = Transcript(conversation.title, clock)

    async def gather(self) -> None:
        """Make the people and the chats."""
        for name, person in self._conversation.people.items():
            member = await self._people.person(name, language_code=person.language)
            if person.started:
                await member.open()
            self._members[name] = member
        for title, group in self._conversation.chats.items():
            creator = self._members[group.creator]
            others = [self._members[name] for name in group.members]
            forum = {"is_forum": True} if group.topics else {}
            chat = await self._people.new_chat(group.type, title, creator, *others, bot=group.bot, **forum)
            self._chats[title] = chat
            for topic in group.topics:
                self._topics[title, topic] = await chat.topic(creator, topic)

    async def play(self) -> None:
        """Walk the steps.

        Raises:
            Unmet: The first expectation that did not hold.
        """
        for number, (actor, step) in enumerate(self._conversation.steps, 1):
            try:
                match step:
                    case PersonStep():
                        await self._act(actor, step)
                    case BotStep():
                        await self._expect(step)
                    case NemoStep():
                        await self._nemo_step(step)
                    case TelegramStep():
                        await self._telegram_step(step)
            except Unmet as error:
                raise Unmet(f"Step {number} ({actor}): {error}") from None

    async def write_down(self) -> None:
        """Put the transcript and all delivered files where they were asked for."""
        chats = {**{name: m.chat for name, m in self._members.items()}, **self._chats}
        await self._transcript.write(self._people, chats, self._out)

    async def _act(self, actor: str, step: PersonStep) -> None:
        member = self._members[actor]
        chat = self._chats[step.chat] if step.chat else None
        self._last_actor, self._last_chat = actor, step.chat
        where: dict[str, Any] = {}
        if step.topic and step.chat:
            where["thread"] = self._topics[step.chat, step.topic]
        if step.reply_to:
            where["reply_to"] = self._labels[step.reply_to].id
        sent: Seen | None = None
        if step.says is not None:
            sent = await member.say(step.says, chat, **where)
        elif step.sends is not None:
            sent = await self._send(member, step.sends, step.caption, chat, **where)
        elif step.forwards is not None:
            author = self._members[step.by] if step.by else member
            elsewhere = await self._people.new_chat("group", "Elsewhere", author, bot="")
            original = await self._send(author, step.forwards, step.caption, elsewhere)
            sent = await member.forward(original, chat, **where)
        elif step.edits is not None:
            text = {"text": step.to} if step.to is not None else {"caption": step.caption}
            sent = await member.edit(self._labels[step.edits], **text)
        elif step.presses is not None:
            await self._press(member, step, chat or member.chat)
        if sent is not None and step.label:
            self._labels[step.label] = sent

    async def _press(self, member: Member, step: PersonStep, chat: ChatHandle) -> None:
        wanted = str(step.presses)
        message = self._labels[step.on] if step.on else await self._with_button(chat, wanted)
        answer = await member.press(message, wanted)
        self._transcript.pressed(member.json["first_name"], wanted, answer)
        if step.toast is not None and step.toast not in str((answer or {}).get("text")):
            raise Unmet(f"the toast should say “{step.toast}”, it was {answer}")

    async def _with_button(self, chat: ChatHandle, wanted: str) -> Seen:
        def look(messages: list[Seen]) -> Seen | None:
            fitting = [m for m in messages if any(wanted in b for b in m.buttons) and not m.deleted_at]
            return fitting[-1] if fitting else None

        return await self._until(chat, look, 20.0, lambda: f"there should be a button “{wanted}”")

    async def _send(
        self, member: Member, file: File, caption: str, chat: ChatHandle | None, **where: Any
    ) -> Seen:
        path, facts = await asyncio.to_thread(self._make, file)
        return await member.send_file(
            file.kind,
            path,
            chat,
            name=file.name or path.name,
            content_type=file.content_type,
            caption=caption,
            **facts,
            **where,
        )

    def _make(self, file: File) -> tuple[Path, dict[str, Any]]:
        self._files += 1
        name = file.name or {"photo": "photo.jpg", "audio": "music.mp3", "voice": "voice.ogg"}.get(
            file.kind, "clip.mp4"
        )
        path = self._work_dir / f"{self._files}" / name
        path.parent.mkdir()
        if file.text is not None:
            path.write_text(file.text, encoding="utf-8")
            return path, {}
        suffix = path.suffix.lower()
        if suffix in (".jpg", ".jpeg", ".png", ".gif", ".webp"):
            return samples.make_photo(path, file.width, file.height), {}
        if suffix in (".mp3", ".m4a", ".aac", ".wav", ".ogg"):
            return samples.make_audio(path, file.seconds), {"duration": round(file.seconds)}
        size_bytes = None if file.size_mb is None else round(file.size_mb * 1024 * 1024)
        made = samples.make_video(
            path, file.seconds, file.width, file.height, rotation=file.rotation, size_bytes=size_bytes
        )
        return made, {"duration": round(file.seconds), "width": file.width, "height": file.height}

    async def _expect(self, step: BotStep) -> None:
        name = step.chat or self._last_chat
        chat = self._chats[name] if name else self._members[self._last_actor].chat
        after = self._answered.get(chat.id, 0)

        def look(messages: list[Seen]) -> Seen | None:
            return next((m for m in messages if m.id > after and self._meets(m, step)), None)

        found = await self._until(chat, look, step.within_s, lambda: f"expected {_told(step)}")
        if not step.live:
            self._answered[chat.id] = found.id
        if step.label:
            self._labels[step.label] = found
        if step.sends is not None:
            await self._check_video(found, step.sends)

    def _meets(self, message: Seen, step: BotStep) -> bool:
        said = [version.get("text") or version.get("caption") or "" for version in message.versions]
        is_live = any(LIVE_MARK in text or "▰" in text for text in said)
        if step.live or step.live_is_gone:
            told = all(any(piece in text for text in said) for piece in step.live)
            return (
                (is_live or bool(step.live)) and told and (not step.live_is_gone or bool(message.deleted_at))
            )
        if is_live or message.deleted_at or (step.sends is not None) != ("video" in message.json):
            return False
        replied = message.json.get("reply_to_message", {}).get("message_id")
        return (
            all(piece in message.text for piece in step.says)
            and not any(piece in message.text for piece in step.never_says)
            and all(any(piece in button for button in message.buttons) for piece in step.buttons)
            and (step.reply_to is None or replied == self._labels[step.reply_to].id)
        )

    async def _check_video(self, message: Seen, wanted: Video) -> None:
        path = self._work_dir / "delivered.mp4"
        await self._people.save(message.media["file_id"], path)
        facts = await asyncio.to_thread(_facts, path)
        for name, value in wanted.model_dump(exclude_none=True).items():
            found = facts[name]
            fits = abs(found - value) <= SECONDS_TOLERANCE if name == "seconds" else found == value
            if not fits:
                raise Unmet(f"the video's {name} should be {value}, it is {found}")
        told = message.media
        if not told.get("width") or not told.get("height") or not told.get("duration"):
            raise Unmet(f"the video came without width, height or duration: {told}")

    async def _until(
        self,
        chat: ChatHandle,
        look: Callable[[list[Seen]], Seen | None],
        within_s: float,
        told: Callable[[], str],
    ) -> Seen:
        ends_s = time.monotonic() + within_s
        count = 0
        while True:
            messages = await chat.messages(
                deleted=True, from_bots=True, count=count + 1, timeout_s=LOOK_AGAIN_S if count else 0
            )
            count = len(messages)
            if (found := look(messages)) is not None:
                return found
            if time.monotonic() >= ends_s:
                there = "\n".join(f"    {_shown(m)}" for m in messages) or "    nothing"
                raise Unmet(f"{told()}\n  the bot's messages in this chat:\n{there}")
            if not messages:
                await chat.messages(deleted=True, from_bots=True, count=1, timeout_s=LOOK_AGAIN_S)

    async def _nemo_step(self, step: NemoStep) -> None:
        if step.switches:
            await self._nemo.set(**step.switches)
        if step.script is not None:
            await self._nemo.script(NAMED[step.script](**step.args))
        if step.fault:
            await self._nemo.fault(**step.fault)
        if step.forget_sessions:
            for session in await self._nemo.sessions():
                await self._nemo.drop_session(session.id)
        messages = await self._nemo.messages()
        found: dict[str, Any] = {
            "messages": len(messages),
            "last_message": messages[-1].text if messages else None,
            "charged": sum(charge.credits for charge in await self._nemo.charges()),
            "renders": len(await self._nemo.renders()),
            "uploads": len(await self._nemo.uploads()),
        }
        for name, value in found.items():
            wanted = getattr(step, name)
            if wanted is not None and wanted != value:
                raise Unmet(f"NemoVideo's {name} should be {wanted!r}, they are {value!r}")

    async def _telegram_step(self, step: TelegramStep) -> None:
        faults = self._people.faults
        if step.error is not None:
            options = dict(step.error)
            await faults.error(*options.pop("methods", []), **options)
        if step.drop is not None:
            options = dict(step.drop)
            await faults.drop(*options.pop("methods", []), **options)
        if step.lose is not None:
            await faults.lose_file(self._labels[step.lose].media["file_id"])


def _facts(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frame = next(container.decode(video))
        seconds = float(container.duration or 0) / av.time_base
        return {
            "seconds": seconds,
            "width": frame.width,
            "height": frame.height,
            "sound": bool(container.streams.audio),
        }


def _told(step: BotStep) -> str:
    wanted = step.model_dump(exclude_defaults=True, exclude={"within_s", "label", "chat", "topic"})
    return ", ".join(f"{name}: {value}" for name, value in wanted.items()) or "a message"


def _shown(message: Seen) -> str:
    kind = next((kind for kind in ("video", "photo", "document") if kind in message.json), "")
    gone = " (deleted)" if message.deleted_at else ""
    buttons = f" {message.buttons}" if message.buttons else ""
    return f"#{message.id}{gone} {kind and f'[{kind}] '}{message.text!r}{buttons}"
