"""Play a conversation file: act as its people and check what the bot answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis

from bot.jobs.model import QueueName
from bot.jobs.queue.tickets import parse_queue_id
from bot.sandbox import media_files, transcriber
from bot.sandbox.botapi.client import ChatHandle, ControlError, People, Seen
from bot.sandbox.botapi.client import Person as Member
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.conversation import (
    BOT,
    GENERAL,
    TOPIC,
    BotStep,
    Conversation,
    File,
    Membership,
    NemoStep,
    PersonStep,
    Step,
    TelegramStep,
    WrongFile,
)
from bot.sandbox.expectations import Expectations
from bot.sandbox.nemo_steps import play_nemo
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import Services, serve_services
from bot.sandbox.skipping_clock import SkippingClock
from bot.sandbox.stage import LOOK_AGAIN_S, PATIENCE_S, Stage, Unmet, until
from bot.sandbox.transcript import Transcript
from bot.store import keys
from bot.store.connect import open_store
from bot.web.serve import serve


async def play(
    conversation: Conversation, out: Path, work_dir: Path, redis_url: str | None = None
) -> str | None:
    """Play a conversation to its end.

    Args:
        conversation: What to play.
        out: Directory for the transcript and the delivered files; created if missing.
        work_dir: Empty directory for everything else.
        redis_url: URL of an empty store for the bot; by default it starts an embedded one.

    Returns:
        The difference if an expectation didn't hold, otherwise `None`.

    Raises:
        WrongFile: The conversation asks for something impossible.
    """
    await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    # Start at noon, so that no conversation runs into the next day with its new quotas.
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    clock = SkippingClock(conversation.speed, starts_at=noon)
    telegram = conversation.telegram
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(redis_url, work_dir / "bot"))
        await stack.enter_async_context(clock.running(store.redis.ping))
        services = await stack.enter_async_context(
            serve_services(
                work_dir / "services",
                clock,
                local=telegram.local,
                flood_limits=FloodLimits() if telegram.flood_limits else None,
            )
        )
        people = await stack.enter_async_context(People(services.people_url, app=services.telegram_app))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_control_url, services.nemo_app))
        player = Player(conversation, services, people, nemo, clock, store.redis, out, work_dir)
        await player.set_up()
        settings = dict(conversation.settings)
        if conversation.transcriber is not None:
            url = await stack.enter_async_context(serve(transcriber.create_app(conversation.transcriber)))
            settings |= {"TRANSCRIBE_URL": f"{url}/v1", "TRANSCRIBE_KEY": transcriber.KEY}
        bot = running_bot(
            services,
            work_dir / "bot",
            clock,
            telegram_local_mode=telegram.local,
            telegram_files_dir=work_dir / "services" / "telegram",
            redis_url=store.url,
            **settings,
        )
        try:
            await stack.enter_async_context(bot)
        except ValidationError as error:
            errors = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise WrongFile(f"settings: {errors}") from None
        try:
            await player.play()
        except Unmet as error:
            return str(error)
        finally:
            await player.write_transcript()
            # Held requests would keep both sides from ending.
            await nemo.release()
            await people.faults.clear()
    return None


class Player:
    """Plays a conversation once.

    Args:
        conversation: What to play.
        services: The stand-ins.
        people: Telegram's control API.
        nemo: NemoVideo's control API.
        clock: The conversation's source of time.
        redis: The bot's store.
        out: Directory for delivered files.
        work_dir: Directory for files to send.
    """

    def __init__(
        self,
        conversation: Conversation,
        services: Services,
        people: People,
        nemo: NemoControl,
        clock: SkippingClock,
        redis: Redis,
        out: Path,
        work_dir: Path,
    ) -> None:
        self._conversation = conversation
        self._people = people
        self._nemo = nemo
        self._work_dir = work_dir
        self._stage = Stage(people, services.telegram.shown, work_dir, next(iter(conversation.people)))
        self._expectations = Expectations(self._stage)
        self._files = 0
        self._clock = clock
        self._redis = redis
        self._out = out
        self._transcript = Transcript(conversation.title, clock)

    async def set_up(self) -> None:
        """Create accounts, people and chats.

        Raises:
            WrongFile: NemoVideo's stand-in has no such switch.
        """
        try:
            await self._nemo.set(**self._conversation.nemo)
        except ValueError as error:
            raise WrongFile(f"nemo: {error}") from error
        for token, account in self._conversation.accounts.items():
            await self._nemo.add_account(token=token, **account.model_dump())
        telegram = self._conversation.telegram
        topics = telegram.topics or any(person.topics for person in self._conversation.people.values())
        switches = {"topics": topics, "inline": telegram.inline, "guest": telegram.guest}
        await self._people.ask("set_bot", bot=self._people.bot, **switches)
        for name, person in self._conversation.people.items():
            member = await self._people.person(name, language_code=person.language)
            if person.started:
                await member.open()
            self._stage.members[name] = member
            for topic in person.topics:
                self._stage.topics[name, topic] = await member.chat.topic(member, topic)
        for title, group in self._conversation.chats.items():
            creator = self._stage.members[group.creator]
            others = [self._stage.members[name] for name in group.members]
            forum = {"is_forum": True} if group.topics else {}
            chat = await self._people.new_chat(group.type, title, creator, *others, bot=group.bot, **forum)
            self._stage.chats[title] = chat
            for topic in group.topics:
                self._stage.topics[title, topic] = await chat.topic(creator, topic)
        for title, group in self._conversation.chats.items():
            if group.discussion is not None:
                await self._people.link(self._stage.chats[title], self._stage.chats[group.discussion])

    async def play(self) -> None:
        """Play the steps in order.

        Raises:
            Unmet: An expectation didn't hold.
            WrongFile: A step asks for something impossible.
        """
        for number, (actor, step) in enumerate(self._conversation.steps, 1):
            try:
                await self._step(actor, step)
            except Unmet as error:
                raise Unmet(f"Step {number} ({actor}): {error}") from None
            except (ControlError, ValueError, TypeError) as error:
                raise WrongFile(f"step {number} ({actor}): {error}") from error

    async def write_transcript(self) -> None:
        """Write the transcript and all delivered files."""
        chats = {**{name: m.chat for name, m in self._stage.members.items()}, **self._stage.chats}
        await self._transcript.write(self._people, chats, self._out)

    async def _step(self, actor: str, step: Step) -> None:
        match step:
            case PersonStep() if step.presses is step.follows is step.types_inline is None:
                # An album's parts arrive together, however long it takes to make them.
                with self._clock.held():
                    await self._act(actor, step)
            case PersonStep():
                await self._act(actor, step)
            case BotStep():
                if step.idle:
                    await self._wait_until_idle(step.within_s)
                await self._expectations.expect(step)
            case NemoStep():
                await play_nemo(self._nemo, step)
            case TelegramStep():
                await self._telegram_step(step)

    async def _act(self, actor: str, step: PersonStep) -> None:
        member = self._stage.members[actor]
        chat = self._stage.chats[step.chat] if step.chat else None
        self._stage.last_actor, self._stage.last = actor, step
        where = await self._where(step)
        sent: Seen | None = None
        if step.says is not None:
            sent = await member.say(step.says, chat, **where)
        elif step.posts is not None:
            sent = await member.say("", chat, extra=step.posts, **where)
        elif step.sends is not None:
            if step.album_of:
                where["album"] = self._stage.labels[step.album_of].json["media_group_id"]
            sent = await self._send(member, step.sends, step.caption, chat, **where)
        elif step.sends_album is not None:
            album = str(uuid.uuid4().int % 10**17)
            for number, file in enumerate(step.sends_album, 1):
                caption = step.caption if number == step.caption_on else ""
                part = await self._send(member, file, caption, chat, album=album, **where)
                sent = sent or part
        elif step.forwards is not None or step.forwards_all is not None:
            author = self._stage.members[step.by] if step.by else member
            elsewhere = await self._people.new_chat("group", "Elsewhere", author, bot="")
            files = step.forwards_all or (step.forwards,)
            originals = [
                await self._send(author, file, step.caption if number == 0 else "", elsewhere)
                for number, file in enumerate(files)
                if file is not None
            ]
            sent = (await member.forward_all(originals, chat, comment=step.comment, **where))[0]
        elif step.edits is not None and step.file is not None:
            edits = self._stage.labels[step.edits]
            sent = await self._send(member, step.file, step.caption, chat, edits=edits)
        elif step.edits is not None:
            text = {"text": step.to} if step.to is not None else {"caption": step.caption}
            sent = await member.edit(self._stage.labels[step.edits], **text)
        elif step.deletes is not None:
            await member.delete(self._stage.labels[step.deletes])
        elif step.presses is not None:
            await self._press(member, step, chat or member.chat)
        elif step.types_inline is not None:
            sent = await self._type_inline(member, step, chat)
        elif step.follows is not None:
            await self._follow(member, step, chat or member.chat)
            # The next steps are about the private chat that this led to.
            self._stage.last = PersonStep(says="")
        if sent is not None and step.label:
            self._stage.labels[step.label] = sent

    async def _where(self, step: PersonStep) -> dict[str, Any]:
        where: dict[str, Any] = {}
        if step.sent_as is not None:
            is_channel = step.sent_as in self._stage.chats
            where["sent_as"] = self._stage.chats[step.sent_as].id if is_channel else step.sent_as
        if step.topic and step.topic != GENERAL:
            where["thread"] = await self._stage.thread(step.chat, step.topic)
        if step.reply_to == TOPIC:
            where["reply_to_topic"] = True
        elif step.reply_to:
            where["reply_to"] = await self._id_in(step.chat, self._stage.labels[step.reply_to])
        return where

    async def _id_in(self, title: str | None, message: Seen) -> int:
        """Return a message's ID in a chat; a channel's post has another one in its discussion group."""
        chat = self._stage.chats[title] if title else None
        if chat is None or message.chat_id == chat.id or message.json["chat"]["type"] != "channel":
            return message.id
        for one in await chat.messages():
            if one.json.get("forward_origin", {}).get("message_id") == message.id:
                return one.id
        raise ValueError("that post is not in this chat")

    async def _press(self, member: Member, step: PersonStep, chat: ChatHandle) -> None:
        wanted = str(step.presses)
        on = self._stage.labels[step.on] if step.on else None
        message = await self._with_button(self._people.chat(on.chat_id) if on else chat, wanted, on)
        answer = await member.press(message, wanted) or {}
        self._transcript.add_press(member.json["first_name"], wanted, answer)
        if step.toast is not None and step.toast not in str(answer.get("text")):
            raise Unmet(f"expected the toast “{step.toast}”, it was {answer or 'none'}")
        if step.opens is not None and step.opens not in str(answer.get("url")):
            raise Unmet(f"expected a link with “{step.opens}”, it was {answer or 'none'}")

    async def _follow(self, member: Member, step: PersonStep, chat: ChatHandle) -> None:
        """Press a button that links to the bot's private chat, then "Start" there."""
        on = self._stage.labels[step.on] if step.on else None
        message = await self._with_button(
            self._people.chat(on.chat_id) if on else chat, str(step.follows), on
        )
        link = await member.press(message, str(step.follows)) or {}
        await member.start(str(link.get("url")).partition("?start=")[2])

    async def _type_inline(self, member: Member, step: PersonStep, chat: ChatHandle | None) -> Seen | None:
        """Type behind the bot's name, then pick a result or press the button above the results."""
        answer = await member.type_inline(str(step.types_inline))
        titles = [f"{one.get('title', '')} · {one.get('description', '')}" for one in answer["results"]]
        button = answer["button"] or {}
        self._transcript.add_inline(member.json["first_name"], str(step.types_inline), titles, button)
        if missing := [text for text in step.offers if not any(text in title for title in titles)]:
            raise Unmet(f"expected the inline results {missing}, there were {titles or 'none'}")
        if step.starts is not None:
            if step.starts not in str(button.get("text")):
                raise Unmet(f"expected the button “{step.starts}”, it was {button or 'none'}")
            self._stage.last = PersonStep(says="")
            return await member.start(button["start_parameter"])
        if step.picks is None:
            return None
        for result, title in zip(answer["results"], titles, strict=True):
            if step.picks in title:
                return await member.pick(answer, result["id"], chat)
        raise Unmet(f"expected the inline result “{step.picks}”, there were {titles or 'none'}")

    async def _with_button(self, chat: ChatHandle, wanted: str, on: Seen | None) -> Seen:
        def look(messages: list[Seen]) -> Seen | None:
            here = messages if on is None else [m for m in messages if m.id == on.id]
            fitting = [m for m in here if any(wanted in b for b in m.buttons) and not m.deleted_at]
            return fitting[-1] if fitting else None

        return await until(chat, self._stage.changes, look, PATIENCE_S, f"a button “{wanted}”")

    async def _send(
        self, member: Member, file: File, caption: str, chat: ChatHandle | None, **where: Any
    ) -> Seen:
        self._files += 1
        directory = self._work_dir / f"{self._files}"
        path, declared = await asyncio.to_thread(media_files.make, file, directory)
        still = await asyncio.to_thread(media_files.make_still, file, directory)
        qualities = await asyncio.to_thread(media_files.make_qualities, file, directory)
        return await member.send_file(
            file.kind,
            path,
            chat,
            name=file.name or path.name,
            content_type=file.content_type,
            caption=caption,
            media=file.declares or None,
            still=still,
            qualities=qualities,
            **declared,
            **where,
        )

    async def _wait_until_idle(self, within_s: float) -> None:
        ends_s = time.monotonic() + within_s
        await self._people.confirmed(within_s)  # What was just said waits or runs from then on.
        while await self._is_busy():
            if time.monotonic() >= ends_s:
                raise Unmet("expected that no request runs or waits")
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _is_busy(self) -> bool:
        queues = [parse_queue_id(queue_id) async for queue_id, _ in self._redis.zscan_iter(keys.QUEUES)]
        in_use = [
            key(str(chat), queue)
            for chat, queue in queues
            if queue is QueueName.MAIN
            for key in (keys.running_key, keys.queue_key)
        ]
        return bool(in_use) and bool(await self._redis.exists(*in_use))

    async def _check_copies(self, wanted: int) -> None:
        def count() -> int:
            # A bot's directory is named by its token.
            return sum(path.is_file() for path in (self._work_dir / "services" / "telegram").glob("*:*/**/*"))

        ends_s = time.monotonic() + PATIENCE_S
        while (found := await asyncio.to_thread(count)) != wanted:
            if time.monotonic() >= ends_s:
                raise Unmet(f"expected {wanted} files left on the own Bot API server, there are {found}")
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _telegram_step(self, step: TelegramStep) -> None:
        faults = self._people.faults
        if step.error is not None:
            await faults.error(*step.error.methods, **step.error.model_dump(exclude={"methods"}))
        if step.drop is not None:
            await faults.drop(*step.drop.methods, **step.drop.model_dump(exclude={"methods"}))
        if step.clear:
            await faults.clear()
        if step.copies is not None:
            await self._check_copies(step.copies)
        if step.confirmed and not await self._people.confirmed():
            raise Unmet("expected the bot to have taken all updates")
        if step.lose is not None:
            await faults.lose_file(self._stage.labels[step.lose].media["file_id"])
        if step.migrate is not None:
            creator = self._stage.members[self._conversation.chats[step.migrate].creator]
            self._stage.chats[step.migrate] = await self._stage.chats[step.migrate].migrate(creator)
        if step.member is not None:
            await self._change_member(step.member)
        for name, blocked in step.block.items():
            await self._stage.members[name].block(blocked)
        if step.heard and not await self._people.confirmed():
            raise Unmet("the bot has not confirmed what happened")
        if step.privacy is not None:
            await self._people.ask("set_bot", bot=self._people.bot, privacy=step.privacy)

    async def _change_member(self, change: Membership) -> None:
        chat = self._stage.chats[change.chat]
        who = self._people.bot if change.who == BOT else self._stage.members[change.who]
        by = self._stage.members[self._conversation.chats[change.chat].creator]
        await chat.set_member(who, change.status, by=by, **change.rights)
