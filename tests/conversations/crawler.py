"""Presses each button that a conversation's chats show, and looks at the videos that come of it."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import Any

import httpx

from bot.chats.key import ChatKey
from bot.chats.versions import Versions
from bot.jobs.buttons import (
    ChooseGeneration,
    ChooseSkill,
    KeepExtras,
    NewProject,
    PlaceFiles,
    RemoveExtra,
    RestoreVersion,
    RunExample,
    RunSuggestion,
    Setting,
    ShowSkill,
    SwitchSetting,
    TrySample,
    unpack,
)
from bot.jobs.versions import version_at
from bot.sandbox import player
from bot.sandbox.botapi.client import ChatHandle, Person, Seen
from bot.sandbox.nemovideo.drafts import Draft, is_ready
from bot.sandbox.nemovideo.encode import encode
from bot.sandbox.nemovideo.prompts import parse
from bot.sandbox.nemovideo.render import spec_of
from bot.sandbox.services import Services
from bot.sandbox.stage import LOOK_AGAIN_S, PATIENCE_S, Unmet
from bot.skills.cards import SkillCards
from bot.store import keys
from bot.words import Words, language_of, languages
from tests.conversations.rendered_video import (
    EXAMPLES,
    EXTRAS,
    PLACED,
    SAMPLE,
    SUGGESTIONS,
    Check,
    Look,
    as_drafted,
    describe,
    look_at,
    nothing,
    of_form,
)

MOST_PRESSES = 200
TOLD_S = 3.0
"""How long to wait for a change, in real seconds, where a toast has told already what there is to tell."""

DEAD_ENDS = ("toast.old_button", "toast.not_handled", "toast.prompt_gone", "toast.skill_gone")
REFUSALS = (
    "error.unexpected",
    "error.queue_full",
    "quota.over_jobs_person",
    "error.no_credits_operator",
    "extract.failed",
)

_OF_ONE = ("job_id", "mark", "number")
"""Fields that tell buttons of one kind apart."""

NOT_THEIRS = (
    "toast.not_yours",
    "toast.admins_only",
    "new.not_yours",
    "projects.not_yours",
    "forget.admins_only",
)
"""Answers to somebody who may not press a button."""

Button = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A chat whose buttons are pressed.

    Args:
        chat: The chat.
        people: Who presses, by their role; in a group those with fewer rights first.
    """

    chat: ChatHandle
    people: Mapping[str, Person]


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody presses, and how everything was before.

    Args:
        place: The chat that it is in.
        message: The message that it is under.
        button: The button.
        check: What it promises to change in the video, if anything.
        known: The numbers of the bot's messages in the chat.
        drafts: The drafts of all projects, by their sessions.
        asked: How many messages the agent had got.
    """

    place: Place
    message: Seen
    button: Button
    check: Check | None
    known: set[int]
    drafts: dict[str, Draft]
    asked: int


class Crawler(player.Player):
    """Plays a conversation, then presses each button of the bot once.

    Args:
        cards: The skill cards, whose examples are buttons.
        args: See ``Player``.
    """

    def __init__(self, cards: SkillCards, *args: Any) -> None:
        super().__init__(*args)
        self._services: Services = args[1]
        self._words = Words(language_of(next(iter(self._conversation.people.values())).language))
        self._examples = {
            example: check
            for card in cards.in_language(self._words.language)
            for example in card.examples
            for pattern, check in EXAMPLES
            if re.search(pattern, example, re.IGNORECASE)
        }
        self._versions = Versions(self._redis, keys.JOB_TTL_S)
        self._promised: Check | None = None
        self._failures: list[str] = []
        self._done: set[str] = set()
        self.seen_in_video: set[str] = set()
        self.allowed: dict[str, str] = {}

    @property
    def pressed(self) -> int:
        """How many buttons were pressed."""
        return len(self._done)

    async def play(self) -> None:
        """See ``Player``."""
        await super().play()
        everybody = self._stage.members
        places = [Place(member.chat, {"private": member}) for member in everybody.values()]
        for title, group in self._conversation.chats.items():
            people = dict(zip(("member", "asker", "admin"), (*group.members, group.creator), strict=True))
            by_role = {role: everybody[name] for role, name in people.items()}
            places.append(Place(self._stage.chats[title], by_role))
        async with httpx.AsyncClient(follow_redirects=True) as http:
            while (found := await self._next(places)) and len(self._done) < MOST_PRESSES:
                place, message, button = found
                self._done.add(self._name_of(message, button))
                if "url" in button:
                    await self._follow_link(http, button)
                else:
                    await self._press_as_each(place, message, button)
        starts = tuple(text[:12] for text in in_any_language(REFUSALS, n=1, anew_in=""))
        for place in places:
            for message in await place.chat.messages(from_bots=True, deleted=True):
                if message.text.startswith(starts):
                    self._failures.append(f"the bot said: {message.text}")
        if self._failures:
            raise Unmet("\n".join(self._failures))

    async def _press_as_each(self, place: Place, message: Seen, button: Button) -> None:
        """Let those with fewer rights press first, until somebody may."""
        drafts = {session.id: deepcopy(session.draft) for session in self._services.nemo.sessions.values()}
        asked, check = len(self._services.nemo.messages), await self._promise_of(place, button)
        known = {one.id for one in await place.chat.messages(from_bots=True, deleted=True)}
        press = Press(place, message, button, check, known, drafts, asked)
        stored = await self._stored(place)
        for role, person in place.people.items():
            answer = await person.press(message, data=button["callback_data"])
            await self._wait_until_idle(PATIENCE_S)
            await redraws_done()
            if answer is None:
                return self._fail(button, "no answer")
            toast = str(answer.get("text") or "")
            if toast not in in_any_language(NOT_THEIRS):
                self.allowed[kind_of(button)] = role
                return await self._check_press(press, toast)
            if stored != await self._stored(place) or len(self._services.nemo.messages) > asked:
                self._fail(button, f"something happened though {role} may not press it")
        return self._fail(button, "nobody may press it")

    async def _check_press(self, press: Press, toast: str) -> None:
        """Check what came of a press."""
        if toast in in_any_language(DEAD_ENDS):
            self._fail(press.button, toast)
        elif not is_chosen(press.button):
            is_changed = await self._changes(press, TOLD_S if toast else PATIENCE_S)
            if not is_changed and not toast:
                self._fail(press.button, "nothing happened")
        sent = self._services.nemo.messages[press.asked :]
        for one in sent:
            if not parse(one.text):
                self._fail(press.button, f"the stand-in does not understand “{one.text}”")
        if press.check is None:
            return
        if not sent:
            self._promised = press.check  # The clip's format and length are chosen first.
            return
        session = self._services.nemo.sessions[sent[-1].session_id]
        before = press.drafts.get(session.id, {})
        if session.draft == before or not is_ready(session.draft):
            return  # It was like this already.
        was, now = await self._look_at_draft(before), await self._look_at_result(press)
        if now is None:
            self._fail(press.button, "no video came of it")
        elif not press.check(was, now):
            self._fail(press.button, f"{describe(was)} became {describe(now)}")
        else:
            self.seen_in_video.add(kind_of(press.button))

    async def _stored(self, place: Place) -> object:
        """Return what the bot keeps of a chat: its settings, skill, language and project."""
        return await self._redis.hgetall(keys.chat_key(str(place.chat.id)))

    def _fail(self, button: Button, what: str) -> None:
        self._failures.append(f"{button['text']}: {what}")

    async def _promise_of(self, place: Place, button: Button) -> Check | None:
        """Return what a press promises to change in the video, or ``None``."""
        match unpack(button["callback_data"]):
            case RunSuggestion(suggestion=name):
                return SUGGESTIONS[name]
            case RemoveExtra(extra=extra):
                return EXTRAS[extra]
            case RunExample():
                return self._examples.get(button["text"])
            case TrySample():
                return SAMPLE
            case PlaceFiles():
                return PLACED
            case RestoreVersion(mark=mark, number=number):
                version = version_at(await self._versions.all(ChatKey(place.chat.id), mark), int(number))
                return None if version is None or version.draft is None else as_drafted(version.draft)
            case ChooseGeneration(is_final=True, ratio=ratio, length_s=length_s):
                promised, self._promised = self._promised, None
                return of_form(ratio, float(length_s), promised)
        return None

    async def _look_at_draft(self, draft: Draft) -> Look:
        """Look at what a draft was before."""
        if not is_ready(draft):
            return nothing()
        world = self._services.nemo
        made = next(
            (one.path for one in world.renders.by_id.values() if one.draft == draft and one.path), None
        )
        if made is None:
            made = self._work_dir / "before.mp4"
            spec = replace(spec_of(draft, world.media, "front"), out=str(made))
            await asyncio.to_thread(encode, spec, lambda _: None)
        return await asyncio.to_thread(look_at, made)

    async def _look_at_result(self, press: Press) -> Look | None:
        """Look at the newest video that came of a press; ``None`` if none did."""
        messages = await press.place.chat.messages(from_bots=True)
        videos = [one for one in messages if one.id not in press.known and "video" in one.json]
        if not videos:
            return None
        path = self._work_dir / "result.mp4"
        await self._people.save(videos[-1].media["file_id"], path)
        return await asyncio.to_thread(look_at, path)

    async def _changes(self, press: Press, within_s: float) -> bool:
        """Wait until a pressed button is gone or was answered by a message: both may come after the press."""
        ends_s = time.monotonic() + within_s
        while True:
            messages = {one.id: one for one in await press.place.chat.messages(from_bots=True, deleted=True)}
            here = messages[press.message.id]
            if here.deleted_at or press.button not in buttons_of(here) or messages.keys() - press.known:
                return True
            if time.monotonic() > ends_s:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _next(self, places: Sequence[Place]) -> tuple[Place, Seen, Button] | None:
        late = None
        for place in places:
            for message in await place.chat.messages(from_bots=True):
                for button in buttons_of(message):
                    if self._name_of(message, button) in self._done:
                        continue
                    if not is_late(button):
                        return place, message, button
                    late = late or (place, message, button)
        return late

    def _name_of(self, message: Seen, button: Button) -> str:
        """Return what stands for a button, of which one is pressed."""
        match unpack(button.get("callback_data")):
            case None:
                return re.sub(r"\d+", "", button["text"])
            case RunExample():  # Each of the others costs a generation.
                return button["text"] if button["text"] in self._examples else "example"
            case ChooseGeneration(is_final=True):
                return f"generate {message.id}"
            case ChooseSkill(mark=mark) | ShowSkill(mark=mark):
                return f"{kind_of(button)} {mark}"
        return kind_of(button)

    async def _follow_link(self, http: httpx.AsyncClient, button: Button) -> None:
        if not button["url"].startswith("http://127.0.0.1"):
            return  # Telegram's own, such as sharing.
        answer = await http.get(button["url"])
        if not answer.is_success:
            self._fail(button, f"{button['url']} gives {answer.status_code}")


async def redraws_done() -> None:
    """Wait until the messages of pressed buttons are redrawn: a button that is about to go must not be pressed."""
    if redraws := {task for task in asyncio.all_tasks() if task.get_name() == "press redraw"}:
        await asyncio.wait(redraws, timeout=PATIENCE_S)


def in_any_language(names: Iterable[str], **params: Any) -> set[str]:
    """Return texts in every language: a button may have changed that of the chat."""
    return {Words(language).plain(name, **params) for name in names for language in languages()}


def buttons_of(message: Seen) -> list[Button]:
    """Return the buttons of a message that can be pressed."""
    rows = message.json.get("reply_markup", {}).get("inline_keyboard", [])
    return [button for row in rows for button in row if {"url", "callback_data"} & button.keys()]


def is_late(button: Button) -> bool:
    """Return whether a button is pressed once the others were: it changes what those need."""
    match unpack(button.get("callback_data")):
        case KeepExtras() | NewProject() | RunExample() | SwitchSetting(setting=Setting.MEMBERS_MAY_CHANGE):
            return True
    return button.get("style") == "danger"


def is_chosen(button: Button) -> bool:
    """Return whether a button is the choice that holds already, which pressing does not change."""
    return str(button["text"]).startswith(("✅", "✓"))


def kind_of(button: Button) -> str:
    """Return what a button does, in any language; versions are alike, and so are projects."""
    action = unpack(button["callback_data"])
    if action is None:
        return str(button["text"])
    values = [str(value) for name, value in asdict(action).items() if name not in _OF_ONE]
    return " ".join([action.name, *values])
