"""Skill cards in a chat: ``/skill``, the list, and a card's greeting with its examples as buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from telegram import Update
from telegram.constants import MessageLimit

from bot.chats.chats import Chats
from bot.jobs.buttons import ChooseSkill, RunExample
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import SkillPayload
from bot.jobs.worker.runner import Attempt, Step
from bot.skills import LINK_PREFIX, Card, Cards, card_mark, example_mark
from bot.telegram.handlers.button_presses import NOT_YOURS, Press, PressReply
from bot.telegram.handlers.chat_settings import BACK
from bot.telegram.handlers.handler_family import HandlerFamily
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import asker_of
from bot.telegram.reading.senders import chat_key, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.pressed_messages import View
from bot.words import Words, bounded

LIST: Final = "list"
CARD: Final = "card"
START: Final = "start"
"""What a job of this kind shows: every card, the active one, or the active one with how to begin."""

MOST_CARDS: Final = 20
"""Cards listed in one message; the others are reached by their name."""

_LINE_CHARS: Final = 120
_LABEL_CHARS: Final = 60

# Characters with a meaning in Markdown; the converter escapes "<" itself.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~])")


class SkillHandlers(HandlerFamily):
    """Handles ``/skill`` and the buttons of the list."""

    def register(self) -> None:
        """Add the handlers."""
        self.on_command("skill", self._skill)
        self.on_press(self._choose, ChooseSkill)

    async def _skill(self, update: Update, context: Context) -> None:
        if context.args:
            return await choose_skill(self._submitter, update, context.args[0])
        return await show_skill(self._submitter, update, LIST)

    async def _choose(self, press: Press, action: ChooseSkill) -> PressReply:
        if not await self._permissions.may_change(press.update, asker_of(press.message)):
            return NOT_YOURS
        cards, chats = self._submitter.cards, self._submitter.chats
        if not action.mark:

            async def show_list(words: Words) -> View:
                view = list_view(cards, (await chats.get(press.chat)).skill, words)
                return replace(view, buttons=(*view.buttons, BACK))

            return PressReply(show=show_list)
        name = cards.marked(action.mark)
        if name is None:
            return PressReply("toast.skill_gone")
        await chats.update(press.chat, skill=name)

        async def show_card(words: Words) -> View:
            return card_view(cards.active((await chats.get(press.chat)).skill, words.language), words)

        return PressReply("toast.skill_chosen", show=show_card)


async def choose_skill(submitter: JobSubmitter, update: Update, said: str) -> None:
    """Make the card with a name the chat's and show it; an unknown name gets the list."""
    name = submitter.cards.named(said)
    if name is not None:
        await submitter.chats.update(chat_key(message_of(update)), skill=name)
    await show_skill(submitter, update, CARD if name else LIST)


async def show_skill(submitter: JobSubmitter, update: Update, view: str) -> None:
    """Answer with the list, or with the active card."""
    await submitter.submit(update, QueueName.QUICK, JobKind.SKILL, SkillPayload(view=view))


def show_skills(cards: Cards, chats: Chats) -> Step:
    """Make the step that answers ``/skill`` and ``/start``."""

    async def step(attempt: Attempt) -> None:
        chosen = (await chats.get(attempt.job.chat)).skill
        words = Words(attempt.job.language)
        match attempt.job.payload_as(SkillPayload).view:
            case "list":
                view: ListMessage | AgentMessage = list_view(cards, chosen, words)
            case shown:
                start = (
                    ("skill.start" if attempt.job.chat.is_private else "skill.start_in_group")
                    if shown == START
                    else ""
                )
                view = card_view(cards.active(chosen, words.language), words, start=start)
        await attempt.responder.send("skill", view)

    return step


def list_view(cards: Cards, chosen: str | None, words: Words) -> ListMessage:
    """List every card in a line, with a button to choose it."""
    active = cards.active(chosen).name
    every = cards.in_language(words.language)
    shown = every[:MOST_CARDS]
    lines = [
        LocalizedMessage(
            "skill.line_active" if card.name == active else "skill.line",
            {"emoji": card.emoji, "name": card.display_name, "about": _one_line(card.description)},
        )
        for card in shown
    ]
    if len(every) > len(shown):
        lines.append(LocalizedMessage("skill.more", {"n": len(every) - len(shown)}))
    buttons = [
        Button(
            text=bounded(f"{card.emoji} {card.display_name}", _LABEL_CHARS),
            action=ChooseSkill(card_mark(card.name)),
        )
        for card in shown
    ]
    return ListMessage(LocalizedMessage("skill.choose"), tuple(lines), tuple(buttons))


def card_view(card: Card, words: Words, *, start: str = "") -> AgentMessage:
    """Show a card's greeting, with a button for each example that sends it.

    Args:
        card: The card in the reader's language.
        words: The words of that language.
        start: Key of the text about how to begin, which follows the greeting; empty for none.
    """
    # A greeting is bounded, so this fits into one message with room to spare.
    paragraphs = [f"**{_escaped(f'{card.emoji} {card.display_name}')}**", card.greeting]
    if start:
        paragraphs.append(words.plain(start))
    if card.examples:
        paragraphs.append(words.plain("skill.try"))
    buttons = tuple(
        Button(
            text=bounded(example, _LABEL_CHARS),
            action=RunExample(example_mark(card.name, example)),
        )
        for example in card.examples
    )
    return AgentMessage("\n\n".join(paragraphs)[: MessageLimit.MAX_TEXT_LENGTH], buttons)


def card_of_start(arguments: Sequence[str] | None) -> str | None:
    """Return the name of the card that a link ``t.me/<bot>?start=skill_<name>`` leads to."""
    if not arguments or not arguments[0].startswith(LINK_PREFIX):
        return None
    return arguments[0].removeprefix(LINK_PREFIX)


def _one_line(description: str) -> str:
    return bounded(" ".join(description.split()), _LINE_CHARS)


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)
