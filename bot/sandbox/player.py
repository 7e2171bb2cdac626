"""Plays a conversation file: is its people, and holds the bot to what it must answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from bot.app import App, Role
from bot.clock import Clock, SystemClock
from bot.sandbox import props
from bot.sandbox.botapi.client import ChatHandle, ControlError, People, Seen
from bot.sandbox.botapi.client import Person as Member
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.conversation import (
    BOT,
    GENERAL,
    NOTHING,
    TOPIC,
    BotStep,
    Conversation,
    File,
    Membership,
    NemoStep,
    PersonStep,
    Step,
    TelegramStep,
    Uploaded,
    Video,
    WrongFile,
)
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.scripts import NAMED
from bot.sandbox.services import Services, serve_services
from bot.sandbox.transcript import Transcript
from bot.settings import Settings

LOOK_AGAIN_S = 0.2
"""How long one look at the chat waits for news, in real seconds."""

PATIENCE_S = 10.0
"""For something outside the chats to come true, in real seconds."""

SECONDS_TOLERANCE = 0.35
"""By how much a delivered video's length may differ: a frame or two, and the sound's last packet."""

LIVE_MARK = "✖"
"""Begins the cancel button, which every live message has and no other."""

MEDIA_KINDS = ("video", "photo", "document")


class Unmet(Exception):
    """An expectation that did not hold; the message tells the difference."""


class _OwnSettings(Settings):
    """Set by the sandbox alone: a store or an account that the machine has for real use stays untouched."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read neither the environment nor ``.env``."""
        return (init_settings,)


@contextlib.asynccontextmanager
async def running_bot(
    services: Services, data_dir: Path, clock: Clock, **settings: Any
) -> AsyncIterator[None]:
    """The real bot against the stand-ins, in this process, until the block is left."""
    chosen = _OwnSettings(
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


async def play(
    conversation: Conversation, out: Path, work_dir: Path, redis_url: str | None = None
) -> str | None:
    """Play a conversation to its end.

    Args:
        conversation: What to play.
        out: Where the transcript and the delivered files go; made when missing.
        work_dir: For everything else; empty.
        redis_url: An empty store for the bot, instead of one of its own.

    Returns:
        The difference, when an expectation did not hold.

    Raises:
        WrongFile: It asks for something that can't be.
    """
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    clock = SystemClock(conversation.speed)
    telegram = conversation.telegram
    async with contextlib.AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            serve_services(
                work_dir / "services",
                clock,
                local=telegram.local,
                flood_limits=FloodLimits() if telegram.flood_limits else None,
            )
        )
        people = await stack.enter_async_context(People(services.telegram_url))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_url))
        player = Player(conversation, people, nemo, clock, out, work_dir)
        await player.gather()
        bot = running_bot(
            services,
            work_dir / "bot",
            clock,
            telegram_local_mode=telegram.local,
            telegram_files_dir=work_dir / "services" / "telegram",
            redis_url=redis_url,
            **conversation.settings,
        )
        try:
            await stack.enter_async_context(bot)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise WrongFile(f"settings: {told}") from None
        try:
            await player.play()
        except Unmet as error:
            return str(error)
        finally:
            await player.write_down()
            # What still stands still would keep both sides from ending.
            await nemo.release()
            await people.faults.clear()
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
        self._work_dir = work_dir
        self._members: dict[str, Member] = {}
        self._chats: dict[str, ChatHandle] = {}
        self._topics: dict[tuple[str, str], int] = {}
        self._labels: dict[str, Seen] = {}
        self._answered: dict[tuple[int, int | None], int] = {}  # chat and topic → the last message met
        self._last = PersonStep(says="")
        self._last_actor = next(iter(conversation.people))
        self._files = 0
        self._out = out
        self._transcript = Transcript(conversation.title, clock)

    async def gather(self) -> None:
        """Make accounts, people and chats.

        Raises:
            WrongFile: NemoVideo's stand-in has no such switch.
        """
        try:
            await self._nemo.set(**self._conversation.nemo)
        except ValueError as error:
            raise WrongFile(f"nemo: {error}") from error
        for token, account in self._conversation.accounts.items():
            await self._nemo.add_account(token=token, **account.model_dump())
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
        for title, group in self._conversation.chats.items():
            if group.discussion is not None:
                await self._people.link(self._chats[title], self._chats[group.discussion])

    async def play(self) -> None:
        """Walk the steps.

        Raises:
            Unmet: The first expectation that did not hold.
            WrongFile: A step asks for something that can't be.
        """
        for number, (actor, step) in enumerate(self._conversation.steps, 1):
            try:
                await self._step(actor, step)
            except Unmet as error:
                raise Unmet(f"Step {number} ({actor}): {error}") from None
            except (ControlError, ValueError, TypeError) as error:
                raise WrongFile(f"step {number} ({actor}): {error}") from error

    async def write_down(self) -> None:
        """Put the transcript and all delivered files where they were asked for."""
        chats = {**{name: m.chat for name, m in self._members.items()}, **self._chats}
        await self._transcript.write(self._people, chats, self._out)

    async def _step(self, actor: str, step: Step) -> None:
        match step:
            case PersonStep():
                await self._act(actor, step)
            case BotStep():
                await self._expect(step)
            case NemoStep():
                await self._nemo_step(step)
            case TelegramStep():
                await self._telegram_step(step)

    async def _act(self, actor: str, step: PersonStep) -> None:
        member = self._members[actor]
        chat = self._chats[step.chat] if step.chat else None
        self._last_actor, self._last = actor, step
        where = await self._where(step)
        sent: Seen | None = None
        if step.says is not None:
            sent = await member.say(step.says, chat, **where)
        elif step.posts is not None:
            sent = await member.say("", chat, extra=step.posts, **where)
        elif step.sends is not None:
            if step.album_of:
                where["album"] = self._labels[step.album_of].json["media_group_id"]
            sent = await self._send(member, step.sends, step.caption, chat, **where)
        elif step.sends_album is not None:
            album = str(uuid.uuid4().int % 10**17)
            for number, file in enumerate(step.sends_album, 1):
                caption = step.caption if number == step.caption_on else ""
                part = await self._send(member, file, caption, chat, album=album, **where)
                sent = sent or part
        elif step.forwards is not None or step.forwards_all is not None:
            author = self._members[step.by] if step.by else member
            elsewhere = await self._people.new_chat("group", "Elsewhere", author, bot="")
            files = step.forwards_all or (step.forwards,)
            originals = [
                await self._send(author, file, step.caption if number == 0 else "", elsewhere)
                for number, file in enumerate(files)
                if file is not None
            ]
            sent = (await member.forward_all(originals, chat, comment=step.comment, **where))[0]
        elif step.edits is not None:
            text = {"text": step.to} if step.to is not None else {"caption": step.caption}
            sent = await member.edit(self._labels[step.edits], **text)
        elif step.deletes is not None:
            await member.delete(self._labels[step.deletes])
        elif step.presses is not None:
            await self._press(member, step, chat or member.chat)
        elif step.follows is not None:
            await self._follow(member, step, chat or member.chat)
            # From here on it is about the private chat that this led to.
            self._last = PersonStep(says="")
        if sent is not None and step.label:
            self._labels[step.label] = sent

    async def _where(self, step: PersonStep) -> dict[str, Any]:
        where: dict[str, Any] = {}
        if step.sent_as is not None:
            is_channel = step.sent_as in self._chats
            where["sent_as"] = self._chats[step.sent_as].id if is_channel else step.sent_as
        if step.chat and step.topic and step.topic != GENERAL:
            where["thread"] = self._topics[step.chat, step.topic]
        if step.reply_to == TOPIC:
            where["reply_to_topic"] = True
        elif step.reply_to:
            where["reply_to"] = await self._id_in(step.chat, self._labels[step.reply_to])
        return where

    async def _id_in(self, title: str | None, message: Seen) -> int:
        """A message's number in a chat; a channel's post is in its discussion group as well, under another one."""
        chat = self._chats[title] if title else None
        if chat is None or message.chat_id == chat.id or message.json["chat"]["type"] != "channel":
            return message.id
        for one in await chat.messages():
            if one.json.get("forward_origin", {}).get("message_id") == message.id:
                return one.id
        raise ValueError("that post is not in this chat")

    async def _press(self, member: Member, step: PersonStep, chat: ChatHandle) -> None:
        wanted = str(step.presses)
        on = self._labels[step.on] if step.on else None
        message = await self._with_button(self._people.chat(on.chat_id) if on else chat, wanted, on)
        answer = await member.press(message, wanted) or {}
        self._transcript.pressed(member.json["first_name"], wanted, answer)
        if step.toast is not None and step.toast not in str(answer.get("text")):
            raise Unmet(f"expected the toast “{step.toast}”, it was {answer or 'none'}")
        if step.opens is not None and step.opens not in str(answer.get("url")):
            raise Unmet(f"expected a link with “{step.opens}”, it was {answer or 'none'}")

    async def _follow(self, member: Member, step: PersonStep, chat: ChatHandle) -> None:
        """Press a link to the bot's private chat, and "Start" there."""
        on = self._labels[step.on] if step.on else None
        message = await self._with_button(
            self._people.chat(on.chat_id) if on else chat, str(step.follows), on
        )
        link = await member.press(message, str(step.follows)) or {}
        await member.start(str(link.get("url")).partition("?start=")[2])

    async def _with_button(self, chat: ChatHandle, wanted: str, on: Seen | None) -> Seen:
        def look(messages: list[Seen]) -> Seen | None:
            here = messages if on is None else [m for m in messages if m.id == on.id]
            fitting = [m for m in here if any(wanted in b for b in m.buttons) and not m.deleted_at]
            return fitting[-1] if fitting else None

        return await self._until(chat, look, 20.0, f"a button “{wanted}”")

    async def _send(
        self, member: Member, file: File, caption: str, chat: ChatHandle | None, **where: Any
    ) -> Seen:
        self._files += 1
        path, declared = await asyncio.to_thread(props.make, file, self._work_dir / f"{self._files}")
        return await member.send_file(
            file.kind,
            path,
            chat,
            name=file.name or path.name,
            content_type=file.content_type,
            caption=caption,
            media=file.declares or None,
            **declared,
            **where,
        )

    async def _expect(self, step: BotStep) -> None:
        title = step.chat or self._last.chat
        chat = self._chats[title] if title else self._members[self._last_actor].chat
        topic = step.topic or (None if step.chat else self._last.topic)
        thread = self._topics.get((title, topic)) if title and topic else None
        after = self._answered.get((chat.id, thread), 0)

        is_live = bool(step.live) or step.live_is_gone

        def look(messages: list[Seen]) -> Seen | None:
            here = [m for m in messages if m.json.get("message_thread_id") == thread] if topic else messages
            if is_live:
                return next((m for m in reversed(here) if self._is_live_as(m, step)), None)
            if step.again is not None:
                known = self._labels[step.again].id
                return next((m for m in here if m.id == known and self._meets(m, step)), None)
            return next((m for m in here if m.id > after and self._meets(m, step)), None)

        def counted(messages: list[Seen]) -> Seen | None:
            said = [m for m in messages if not _is_live(m)]
            return said[-1] if len(said) == step.messages else None

        if step.model_fields_set & _ABOUT_A_MESSAGE:
            found = await self._until(chat, look, step.within_s, _told(step))
            if not is_live and step.again is None:
                self._answered[chat.id, thread] = found.id
            if step.label:
                self._labels[step.label] = found
            if step.sends is not None:
                await self._check_video(found, step.sends)
        if step.gone is not None:
            wanted_id = self._labels[step.gone].id
            await self._until(
                chat,
                lambda messages: next((m for m in messages if m.id == wanted_id and m.deleted_at), None),
                step.within_s,
                f"“{step.gone}” to be deleted",
            )
        if step.buttonless is not None:
            bare_id = self._labels[step.buttonless].id
            await self._until(
                chat,
                lambda messages: next(
                    (m for m in messages if m.id == bare_id and not m.deleted_at and not m.buttons), None
                ),
                step.within_s,
                f"“{step.buttonless}” to be there without buttons",
            )
        if step.messages is not None and (step.messages or await chat.messages(from_bots=True)):
            await self._until(chat, counted, step.within_s, f"{step.messages} messages in all")

    def _is_live_as(self, message: Seen, step: BotStep) -> bool:
        said = [version.get("text") or "" for version in message.versions]
        return (
            _is_live(message)
            and all(any(piece in text for text in said) for piece in step.live)
            and (not step.live_is_gone or bool(message.deleted_at))
            and self._replies(message, step)
        )

    def _replies(self, message: Seen, step: BotStep) -> bool:
        replied = message.json.get("reply_to_message", {}).get("message_id")
        wanted = None if step.reply_to in (None, NOTHING) else self._labels[step.reply_to].id
        return step.reply_to is None or replied == wanted

    def _meets(self, message: Seen, step: BotStep) -> bool:
        if _is_live(message) or message.deleted_at or (step.sends is not None) != ("video" in message.json):
            return False
        return (
            all(piece in message.text for piece in step.says)
            and (step.shows is None or step.shows in message.json)
            and not any(piece in message.text for piece in step.never_says)
            and all(words in _formatted(message, kind) for kind, words in step.formatted.items())
            and all(any(piece in button for button in message.buttons) for piece in step.buttons)
            and self._replies(message, step)
        )

    async def _check_video(self, message: Seen, wanted: Video) -> None:
        path = self._work_dir / "delivered.mp4"
        await self._people.save(message.media["file_id"], path)
        facts = await asyncio.to_thread(props.facts_of, path)
        facts["cover"] = bool(message.media.get("cover")) and await self._is_lit(message.media["cover"][-1])
        for name, value in wanted.model_dump(exclude_none=True).items():
            found = facts[name]
            fits = abs(found - value) <= SECONDS_TOLERANCE if name == "seconds" else found == value
            if not fits:
                raise Unmet(f"expected a video whose {name} is {value}, it is {found}")
        told = message.media
        if not told.get("width") or not told.get("height") or not told.get("duration"):
            raise Unmet(f"the video came without width, height or duration: {told}")

    async def _is_lit(self, cover: dict[str, Any]) -> bool:
        path = self._work_dir / "cover.jpg"
        await self._people.save(cover["file_id"], path)
        return await asyncio.to_thread(props.is_lit, path)

    async def _until(
        self, chat: ChatHandle, look: Callable[[list[Seen]], Seen | None], within_s: float, wanted: str
    ) -> Seen:
        ends_s = time.monotonic() + within_s
        messages = await chat.messages(deleted=True, from_bots=True)
        while (found := look(messages)) is None:
            if time.monotonic() >= ends_s:
                there = "\n".join(f"    {_shown(m)}" for m in messages) or "    nothing"
                raise Unmet(f"expected {wanted}\n  there are of the bot in this chat:\n{there}")
            # Wakes at the next message, and for edits and deletions now and then.
            messages = await chat.messages(
                deleted=True, from_bots=True, count=len(messages) + 1, timeout_s=LOOK_AGAIN_S
            )
        return found

    async def _nemo_step(self, step: NemoStep) -> None:
        nemo = self._nemo
        if step.switches:
            await nemo.set(**step.switches)
        if step.script is not None:
            script = NAMED[step.script](**step.args) if isinstance(step.script, str) else step.script
            await nemo.script(script)
        if step.fault:
            await nemo.fault(**step.fault)
        if step.hold is not None:
            await nemo.hold(step.hold)
        if step.reached is not None:
            match: dict[str, object] = {"endpoint": step.reached, "reached": "*", "released": False}
            await nemo.wait("holds", match=match, timeout_s=step.within_s)
        if step.release:
            await nemo.release()
        if step.forget_sessions:
            for session in await nemo.sessions():
                await nemo.drop_session(session.id)
        if step.accounts:
            for account in await nemo.accounts():
                await nemo.change_account(account.user_id, **step.accounts)
        await self._check_nemo(step)

    async def _check_nemo(self, step: NemoStep) -> None:
        ends_s = time.monotonic() + step.within_s
        while True:
            found = await self._asked_of_nemo()
            wanted = {name: value for name in found if (value := getattr(step, name)) is not None}
            wrong = [name for name, value in wanted.items() if not _is_as(found[name], value)]
            if not wrong:
                return
            if time.monotonic() >= ends_s:
                raise Unmet(
                    "; ".join(
                        f"expected NemoVideo's {n} to be {wanted[n]!r}, it is {found[n]!r}" for n in wrong
                    )
                )
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _asked_of_nemo(self) -> dict[str, Any]:
        messages, renders = await self._nemo.messages(), await self._nemo.renders()
        uploads = await self._nemo.uploads()
        requests = [one for one in await self._nemo.requests() if one.endpoint == "upload"]
        return {
            "messages": len(messages),
            "last_message": messages[-1].text if messages else None,
            "charged": sum(charge.credits for charge in await self._nemo.charges()),
            "renders": len(renders),
            "last_render": renders[-1].status if renders else None,
            "uploads": len(uploads),
            "upload_requests": len([one for one in requests if one.status == httpx.codes.OK]),
            "last_upload": uploads[-1] if uploads else None,
            "sessions": len(await self._nemo.sessions()),
        }

    async def _check_copies(self, wanted: int) -> None:
        def count() -> int:
            # A bot's directory has its token for a name.
            return sum(path.is_file() for path in (self._work_dir / "services" / "telegram").glob("*:*/**/*"))

        ends_s = time.monotonic() + PATIENCE_S
        while (found := await asyncio.to_thread(count)) != wanted:
            if time.monotonic() >= ends_s:
                raise Unmet(f"expected {wanted} files left on the own Bot API server, there are {found}")
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _telegram_step(self, step: TelegramStep) -> None:
        faults = self._people.faults
        if step.error is not None:
            options = dict(step.error)
            await faults.error(*options.pop("methods", []), **options)
        if step.drop is not None:
            options = dict(step.drop)
            await faults.drop(*options.pop("methods", []), **options)
        if step.clear:
            await faults.clear()
        if step.copies is not None:
            await self._check_copies(step.copies)
        if step.confirmed and not await self._people.confirmed():
            raise Unmet("expected the bot to have taken all updates")
        if step.lose is not None:
            await faults.lose_file(self._labels[step.lose].media["file_id"])
        if step.migrate is not None:
            creator = self._members[self._conversation.chats[step.migrate].creator]
            self._chats[step.migrate] = await self._chats[step.migrate].migrate(creator)
        if step.member is not None:
            await self._change_member(step.member)
        for name, blocked in step.block.items():
            await self._members[name].block(blocked)
        if step.heard and not await self._people.confirmed():
            raise Unmet("the bot has not confirmed what happened")
        if step.privacy is not None:
            await self._people.ask("set_bot", bot=self._people.bot, privacy=step.privacy)

    async def _change_member(self, change: Membership) -> None:
        chat = self._chats[change.chat]
        who = self._people.bot if change.who == BOT else self._members[change.who]
        by = self._members[self._conversation.chats[change.chat].creator]
        await chat.set_member(who, change.status, by=by, **change.rights)


_ABOUT_A_MESSAGE = frozenset(
    {"says", "never_says", "sends", "live", "live_is_gone", "buttons", "reply_to", "shows"}
)


def _is_as(found: Any, wanted: Any) -> bool:
    """Whether a figure of NemoVideo's is as expected; of an upload only what is named counts."""
    if not isinstance(wanted, Uploaded):
        return bool(found == wanted)
    if found is None or (wanted.name is not None and wanted.name not in found.name):
        return False
    facts = {"kind": found.kind, "width": found.probe.width, "height": found.probe.height}
    named = wanted.model_dump(include=set(facts), exclude_none=True)
    is_long = wanted.seconds is None or abs(found.probe.duration_s - wanted.seconds) <= SECONDS_TOLERANCE
    return is_long and all(facts[name] == value for name, value in named.items())


def _formatted(message: Seen, kind: str) -> list[str]:
    """The words that have an entity of a kind; entities count in UTF-16 units."""
    raw = message.text.encode("utf-16-le")
    entities = message.json.get("entities") or message.json.get("caption_entities") or []
    return [
        raw[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
        for one in entities
        if one["type"] == kind
    ]


def _is_live(message: Seen) -> bool:
    rows = [
        row
        for version in message.versions
        for row in version.get("reply_markup", {}).get("inline_keyboard", [])
    ]
    return any(button["text"].startswith(LIVE_MARK) for row in rows for button in row)


def _told(step: BotStep) -> str:
    wanted = step.model_dump(
        exclude_defaults=True, exclude={"within_s", "label", "chat", "topic", "messages"}
    )
    return "a message that " + ", ".join(f"{name}: {_listed(value)}" for name, value in wanted.items())


def _listed(value: object) -> str:
    return " and ".join(f"“{piece}”" for piece in value) if isinstance(value, tuple) else str(value)


def _shown(message: Seen) -> str:
    kind = next((f"[{kind}] " for kind in MEDIA_KINDS if kind in message.json), "")
    kind = "(live) " if _is_live(message) else kind
    gone = " (deleted)" if message.deleted_at else ""
    buttons = "".join(f" [{button}]" for button in message.buttons)
    return f"#{message.id}{gone} {kind}“{message.text}”{buttons}"
