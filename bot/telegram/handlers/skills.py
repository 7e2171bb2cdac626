"""Skill cards in a chat: ``/skill``, the list, and a card's greeting with its examples as buttons."""

from collections.abc import Sequence
from dataclasses import replace

from telegram import Update

from bot.chats.chats import ChatFields
from bot.jobs.buttons import ChooseSkill, ListSkills, ShowSkill
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import SkillPayload, SkillView
from bot.jobs.steps.show_settings import BACK
from bot.jobs.steps.show_skills import card_view, details_view, list_view
from bot.skills.cards import LINK_PREFIX
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.located_messages import View
from bot.words import Words


class SkillHandlers(HandlerFamily):
    """Handles ``/skill`` and the buttons of the list."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("skill", self._skill),
            self._on_press(self._choose, ChooseSkill),
            self._on_press(self._list, ListSkills),
            self._on_press(self._show, ShowSkill),
        ]

    async def _skill(self, update: Update, context: Context) -> None:
        if context.args:
            return await choose_skill(self._submitter, self._permissions, update, context.args[0])
        return await show_skill(self._submitter, update, SkillView.LIST)

    async def _choose(self, press: Press, action: ChooseSkill) -> PressReply:
        cards, chats = self._cards, self._chats
        await self.ensure_may_change_settings(press)
        name = cards.marked(action.mark)
        if name is None:
            return PressReply("toast.skill_gone")
        await chats.update(press.chat, ChatFields(skill=name))

        async def show_card(words: Words) -> View:
            view = card_view(cards.active((await chats.get(press.chat)).skill, words.language), words)
            return replace(view, buttons=(*view.buttons, BACK))

        return PressReply("toast.skill_chosen", show=show_card)

    async def _list(self, press: Press, action: ListSkills) -> PressReply:
        page = int(action.page) if action.page.isdecimal() else 1

        async def show_list(words: Words) -> View:
            chosen = (await self._chats.get(press.chat)).skill
            view = list_view(self._cards, chosen, words, page)
            return replace(view, buttons=(*view.buttons, BACK))

        return await self.show_view(press, show_list)

    async def _show(self, press: Press, action: ShowSkill) -> PressReply:
        name = self._cards.marked(action.mark)
        if name is None:
            return PressReply("toast.skill_gone")
        # Everyone may look at a card, but a forged press would put one in the place of any message of the bot.
        if not press.button_is_still_there:
            await self.ensure_may_change_view(press)

        async def show(words: Words) -> View:
            card = self._cards.active(name, words.language)
            view = details_view(card) if action.with_details else card_view(card, words)
            return replace(view, buttons=(*view.buttons, BACK))

        return PressReply(show=show)


async def choose_skill(submitter: JobSubmitter, permissions: Permissions, update: Update, said: str) -> None:
    """Activate the card of this name and show it; show the list if there is no such card."""
    name = submitter.cards.named(said)
    if name is not None:
        chat = await submitter.chats.get(chat_key_of(message_of(update)))
        if not await permissions.may_change_settings(update, chat):
            return await submitter.reply(update, LocalizedMessage("error.admins_only"))
        await submitter.chats.update(chat.key, ChatFields(skill=name))
    return await show_skill(submitter, update, SkillView.CARD if name else SkillView.LIST)


async def show_skill(submitter: JobSubmitter, update: Update, view: SkillView) -> None:
    """Answer with a view of the skill cards."""
    await submitter.submit(update, JobKind.SKILL, SkillPayload(view=view))


def card_of_start(arguments: Sequence[str] | None) -> str | None:
    """Return the name of the card that a link ``t.me/<bot>?start=skill_<name>`` leads to."""
    if not arguments or not arguments[0].startswith(LINK_PREFIX):
        return None
    return arguments[0].removeprefix(LINK_PREFIX)
