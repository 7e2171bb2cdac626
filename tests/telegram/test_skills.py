"""Skill cards in the chat, with the real bot against both stand-ins."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from telegram import Chat, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update
from telegram.constants import MessageLimit

from bot.jobs.buttons import ChooseSkill, ListSkills, RunExample, RunSuggestion, ShowStatus
from bot.jobs.messages import Button
from bot.jobs.steps.show_skills import CARDS_PER_PAGE, card_view, details_view, list_view, start_view
from bot.sandbox.botapi.client import People, Person, Seen
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import Services, serve_services
from bot.sandbox.stage import is_progress_message
from bot.skills.cards import SkillCards, load_cards
from bot.startup import CannotStart
from bot.telegram.handlers.button_presses import Press
from bot.telegram.handlers.job_buttons import prompt_behind
from bot.telegram.handlers.skills import card_of_start
from bot.telegram.sending.formatting import format_list
from bot.telegram.sending.keyboards import keyboard
from bot.telegram.sending.markdown import to_pieces
from bot.words import Words, languages
from tests.cards import built_in_cards
from tests.clocks import FastClock

PHOTOS_ONLY = """\
---
name: photo.magic
version: 3.2.1
displayName: Photo *magic* <b>
description: Makes photos shine.
metadata: {openclaw: {emoji: "📷"}}
---

> Send **photos**, and I make them shine.

## Try saying

- tell me what shines
- tell me what glows

## Limits

Supported formats: JPG, PNG. Files of up to 21 MB.

## Tips

- Use **soft** light
"""

SPEED = 60.0


@dataclass
class World:
    """The bot's surroundings, which outlive it."""

    services: Services
    people: People
    nemo: NemoControl
    ann: Person
    directory: Path

    @property
    def card(self) -> Path:
        return self.directory / "cards" / ".clawhub" / "photo-magic" / "SKILL.md"

    def bot(self, **settings: Any) -> contextlib.AbstractAsyncContextManager[None]:
        given = {"SKILLS_DIR": self.directory / "cards", "NEMO_TOKEN": "nmv_usr_operator"}
        return running_bot(self.services, self.directory / "bot", FastClock(SPEED), **given | settings)

    async def press(self, message: Seen, button: str = "", *, data: str = "") -> str:
        """Press a button; returns the toast."""
        answer = await self.ann.press(message, button, data=data)
        assert answer is not None
        return str(answer.get("text") or "")

    async def ask(self, text: str) -> Seen:
        answer = await self.ann.chat.wait(after=(await self.ann.say(text)).id)
        while is_progress_message(answer):  # of the chat's first contact, or of what runs
            answer = await self.ann.chat.wait(after=answer.id)
        return answer


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        clock = FastClock(SPEED)
        services = await stack.enter_async_context(
            serve_services(tmp_path / "services", clock, flood_limits=None)
        )
        people = await stack.enter_async_context(People(services.people_url, app=services.telegram_app))
        nemo = await stack.enter_async_context(NemoControl(services.nemo_control_url, services.nemo_app))
        await nemo.add_account(token="nmv_usr_operator")
        made = World(services, people, nemo, await people.person("Ann"), tmp_path)
        await made.ann.open()
        made.card.parent.mkdir(parents=True)
        made.card.write_text(PHOTOS_ONLY, encoding="utf-8")
        yield made


async def test_a_card_made_by_others_works_unchanged(world: World) -> None:
    async with world.bot():
        cards = await world.ask("/skill")
        assert "📷 Photo *magic* <b> – Makes photos shine." in cards.text
        toast = await world.press(cards, "Photo *magic* <b>")
        assert toast == "Skill changed"
        card = await world.ann.chat.wait(message=cards.id, versions=2)
        assert card.text.startswith("📷 Photo *magic* <b>\n\nSend photos, and I make them shine.")
        assert "Files up to 21 MB" in card.text
        assert "• Use soft light" in card.text
        assert card.buttons == ["tell me what shines", "tell me what glows", "⚙️ Settings"]
        assert {entity["type"] for entity in card.json["entities"]} == {"bold"}

        await world.ann.press(card, "tell me what glows")
        await world.ann.chat.wait(after=card.id, matching="I can trim")
        (message,) = await world.nemo.messages()
        assert message.text == "tell me what glows"

        refused = await world.ann.send_file(
            "audio", b"ID3\x04" + bytes(6) + b"\xff\xfb\x90\x00" * 50, name="tune.mp3"
        )
        answer = await world.ann.chat.wait(after=refused.id, matching="tune")
        assert "“Photo *magic* <b>” doesn't take tune.mp3" in answer.text
        assert "jpg png." in answer.text
        large = await world.ann.send_file("document", bytes(21 * 1024**2 + 1), name="large.png")
        answer = await world.ann.chat.wait(after=large.id, matching="MB")
        assert "larger than 21 MB, the limit of the skill “Photo *magic* <b>”" in answer.text


async def test_what_a_file_really_is_counts(world: World) -> None:
    async with world.bot():
        await world.ask("/start skill_photo_magic")
        lying = await world.ann.send_file(
            "document", b"ID3\x04" + bytes(6) + b"\xff\xfb\x90\x00" * 50, name="tune.jpg", caption="use it"
        )
        answer = await world.ann.chat.wait(after=lying.id, matching="doesn't take")
        assert "tune.jpg" in answer.text
        assert not await world.nemo.uploads()


async def test_the_active_card_is_in_every_requests_headers(world: World) -> None:
    async with world.bot():
        await world.ask("/credits")
        await world.ask("/start skill_photo_magic")
        await world.ask("/credits")
    (first, *_, last) = await world.nemo.requests()
    assert named(first.headers) == ("video-editor", "1.0.0", "unknown")
    assert named(last.headers) == ("photo.magic", "3.2.1", "clawhub")


async def test_the_operators_source_goes_before_the_path(world: World) -> None:
    async with world.bot(SKILL_SOURCE="our-shop", DEFAULT_SKILL="photo.magic"):
        await world.ask("/credits")
    assert {named(request.headers) for request in await world.nemo.requests()} == {
        ("photo.magic", "3.2.1", "our-shop")
    }


def named(headers: dict[str, str]) -> tuple[str, ...]:
    return tuple(headers[f"x-skill-{what}"] for what in ("source", "version", "platform"))


async def test_however_often_an_example_is_pressed_it_is_sent_once(world: World) -> None:
    async with world.bot():
        card = await world.ask("/start skill_photo_magic")
        data = card.json["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        toasts = await asyncio.gather(*(world.press(card, data=data) for _ in range(3)))
        await world.ann.chat.wait(message=card.id, versions=2)
        toasts.append(await world.press(card, data=data))
        assert sorted(toasts) == ["Already on it"] * 3 + ["Sent: tell me what shines"]
        await world.ann.chat.wait(after=card.id, matching="I can trim")
        assert len(await world.nemo.messages()) == 1
        assert (await world.ann.chat.wait(message=card.id)).buttons == ["tell me what glows"]


async def test_however_often_a_next_step_is_pressed_it_is_sent_once(world: World) -> None:
    async with world.bot():
        await world.ann.say("make a 1 second video of a cat")
        video = await world.ann.chat.wait(kind="video")
        rows = video.json["reply_markup"]["inline_keyboard"]
        (button,) = (button for row in rows for button in row if "calm music" in button["text"])
        charged = await world.nemo.charges()
        data = button["callback_data"]
        toasts = await asyncio.gather(*(world.press(video, data=data) for _ in range(3)))
        await world.ann.chat.wait(kind="video", after=video.id)
        toasts.append(await world.press(video, data=data))
        prompt = "Add calm music that fits the video."
        assert sorted(toasts) == ["Already on it"] * 3 + [f"Sent: {prompt}"]
        assert [message.text for message in await world.nemo.messages()][1:] == [prompt]
        assert len(await world.nemo.charges()) == len(charged) + 1


async def test_a_button_of_a_card_that_has_changed_is_answered_politely(world: World) -> None:
    async with world.bot():
        cards = await world.ask("/skill")
        card = await world.ask("/start skill_photo_magic")
    world.card.write_text(PHOTOS_ONLY.replace("tell me what shines", "tell me what burns"), encoding="utf-8")
    async with world.bot():
        assert "example has changed" in await world.press(card, "tell me what shines")
        after = await world.ann.chat.wait(message=card.id, versions=2)
        assert after.buttons == ["tell me what glows"]
    world.card.unlink()
    async with world.bot():
        assert "no longer available" in await world.press(cards, "Photo")
        assert (await world.ask("/start")).text.startswith("Hi! Send a clip")
        assert not await world.nemo.messages()


async def test_a_card_that_cannot_be_read_is_told_and_skipped(world: World) -> None:
    broken = world.card.parent.parent / "broken" / "SKILL.md"
    broken.parent.mkdir()
    broken.write_text("---\nname: two words\n---\nBody", encoding="utf-8")
    with capture_logs() as logs:
        async with world.bot():
            assert "Photo *magic* <b>" in (await world.ask("/skill")).text
    told = {entry["event"]: entry for entry in logs if entry["event"].startswith("skills.")}
    assert told["skills.card_skipped"]["file"] == str(broken)
    assert told["skills.card_skipped"]["line"] == 2
    assert "not a name" in told["skills.card_skipped"]["reason"]


async def test_a_wrong_name_of_a_card_or_a_directory_is_refused_at_the_start(world: World) -> None:
    with pytest.raises(CannotStart, match=r"there is no card .*; did you mean video-editing-ai-background"):
        async with world.bot(DEFAULT_SKILL="video-edit-ai-background"):
            pass
    with pytest.raises(CannotStart, match=r"SKILLS_DIR: .*nowhere is no directory"):
        async with world.bot(SKILLS_DIR=world.directory / "nowhere"):
            pass


async def test_a_press_that_finds_the_queue_full_keeps_its_button(world: World) -> None:
    async with world.bot(QUEUE_LIMIT=1):
        hold = await world.nemo.hold("message")
        await world.ann.say("make a 1 second video of a cat")
        await world.nemo.reached(hold)
        waiting = await world.ann.say("add calm music")
        await world.ann.chat.wait(after=waiting.id, matching="in the queue")
        card = await world.ask("/start skill_photo_magic")
        assert await world.press(card, "tell me what shines") == ""
        await world.ann.chat.wait(after=card.id, matching="chat's queue is full")
        assert "tell me what shines" in (await world.ann.chat.wait(message=card.id)).buttons
        await world.nemo.release(hold)


@pytest.mark.parametrize("language", languages())
def test_every_view_fits_into_one_message(language: str, tmp_path: Path) -> None:
    cards, words = many_cards(tmp_path, 3), Words(language)
    assert len(format_list(words, list_view(cards, None, words))) < MessageLimit.MAX_TEXT_LENGTH
    for card in cards.in_language(language):
        for view in (
            card_view(card, words),
            start_view(card, words, is_private=False),
            details_view(card),
        ):
            (piece,) = to_pieces(view.markdown)
            assert card.display_name in piece.text or view == start_view(card, words, is_private=False)
            assert keyboard(view.buttons, words)


def test_a_card_without_a_greeting_gets_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text(
        "---\nname: reels\ndisplayName: Reels\n---\n# Reels\n", encoding="utf-8"
    )
    card = load_cards([tmp_path]).active("reels")
    assert card_view(card, Words("en")).markdown.startswith("**🎬 Reels**\n\nHi! This is Reels. Send a video")
    assert "你好！当前技能是“Reels”" in card_view(card, Words("zh")).markdown
    assert card_view(card, Words("en")).buttons == ()


def test_any_number_of_cards_is_listed_in_pages(tmp_path: Path) -> None:
    cards, words = many_cards(tmp_path, 4 * CARDS_PER_PAGE + 3), Words("en")
    every = cards.in_language("en")
    pages = -(-len(every) // CARDS_PER_PAGE)
    listed: list[str] = []
    for page in range(1, pages + 1):
        view = list_view(cards, None, words, page)
        actions = [button.action for button in view.buttons]
        listed += [cards.marked(action.mark) or "" for action in actions if isinstance(action, ChooseSkill)]
        wanted = [ListSkills(str(other)) for other in (page - 1, page + 1) if 1 <= other <= pages]
        assert [action for action in actions if isinstance(action, ListSkills)] == wanted
        assert view.lines[-1].params == {"page": page, "pages": pages}
        assert keyboard(view.buttons, words)
    assert listed == [card.name for card in every]
    assert list_view(cards, None, words, 99) == list_view(cards, None, words, pages)
    assert list_view(cards, None, words, 0) == list_view(cards, None, words)


async def test_the_pages_of_the_list_are_turned_by_buttons(world: World) -> None:
    many_cards(world.directory / "cards", CARDS_PER_PAGE)
    async with world.bot():
        cards = await world.ask("/skill")
        assert "Page 1 of 2" in cards.text
        assert cards.buttons[-1] == "Next ▶️"
        await world.press(cards, "Next")
        second = await world.ann.chat.wait(message=cards.id, versions=2)
        assert "Page 2 of 2" in second.text
        assert second.buttons[-2:] == ["◀️ Previous", "⚙️ Settings"]
        await world.press(second, "Previous")
        assert "Page 1 of 2" in (await world.ann.chat.wait(message=cards.id, versions=3)).text


def many_cards(root: Path, count: int) -> SkillCards:
    for number in range(count):
        path = root / f"{number}" / "SKILL.md"
        path.parent.mkdir()
        name = f"{number:02}".ljust(64, "x")
        examples = "\n".join(f"- {i} {'w' * 900}" for i in range(9))
        path.write_text(
            f"---\nname: {name}\ndisplayName: '{number} *_[{'n' * 300}'\ndescription: {'d ' * 600}\n---\n"
            f"> {'*g* ' * 200}.\n\n## Try saying\n\n{examples}\n\n"
            f"## Tips\n\n{examples}\n\n## FAQ\n\n{examples}",
            encoding="utf-8",
        )
    return load_cards([root])


@pytest.mark.parametrize(
    ("arguments", "card"),
    [
        (["skill_sora"], "sora"),
        (["skill_"], ""),
        (["login"], None),
        ([], None),
        (None, None),
    ],
)
def test_where_a_link_leads(arguments: list[str] | None, card: str | None) -> None:
    assert card_of_start(arguments) == card


def test_a_button_sends_words_of_the_chats_language() -> None:
    cards = built_in_cards()
    assert prompt_behind(RunSuggestion("calm_music"), cards, Words("zh")) == "配上贴合画面的舒缓音乐。"
    assert prompt_behind(RunSuggestion("gone"), cards, Words("zh")) is None
    assert prompt_behind(RunExample("gone"), cards, Words("en")) is None


def test_only_the_pressed_button_goes() -> None:
    rows = [
        [InlineKeyboardButton("a", callback_data="1"), InlineKeyboardButton("b", callback_data="2")],
        [InlineKeyboardButton("c", url="https://example.com")],
        [InlineKeyboardButton("d", callback_data="3")],
    ]
    left = press_on(InlineKeyboardMarkup(rows)).other_buttons
    assert [[button.text for button in row] for row in left.inline_keyboard] == [["a", "b"], ["c"]]
    assert press_on(None).other_buttons.inline_keyboard == ()


def press_on(markup: InlineKeyboardMarkup | None) -> Press:
    message = Message(7, datetime.now(UTC), Chat(1, "private"), reply_markup=markup)
    return Press(Update(1), message, "3")


def test_long_labels_stand_alone() -> None:
    labels = ["short", "also short", "third", "one that is longer than half a row", "last"]
    markup = keyboard([Button(text=label, action=ShowStatus()) for label in labels], Words("en"))
    assert markup is not None
    assert [len(row) for row in markup.inline_keyboard] == [2, 1, 1, 1]
