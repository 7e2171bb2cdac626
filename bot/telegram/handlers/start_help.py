"""``/start`` with what its link brings along, and ``/help``."""

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType

from bot.job_types import GROUP_MENU, PRIVATE_MENU
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.next_steps import edits_clip
from bot.jobs.payloads import EditPayload, SkillView
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.handlers.inline import INLINE_START
from bot.telegram.handlers.login import LOGIN_START, login_how
from bot.telegram.handlers.skills import card_of_start, choose_skill, show_skill
from bot.telegram.reading.addressing import chat_key_of, message_of
from bot.telegram.reading.request import RequestLinks, read_links
from bot.telegram.receiving.application import Context
from bot.telegram.sending.guest_messages import GUEST_START
from bot.telegram.sending.private_messages import read_payload
from bot.words.phrases import action_for, command_for


class StartHelpHandlers(HandlerFamily):
    """Handles ``/start`` and ``/help``."""

    def _handlers(self) -> Handlers:
        return [TextCommandHandler("start", self._start), TextCommandHandler("help", self._help)]

    async def _start(self, update: Update, context: Context) -> None:
        message = message_of(update)
        argument = context.args[0] if context.args else ""
        if context.args == [LOGIN_START]:
            return await self._submitter.reply(
                update, login_how(message, context.bot.username, self._services.tokens_link)
            )
        if argument == INLINE_START and chat_key_of(message).is_private:
            typed = await self._chats.inline_requests.get(message.chat.id)
            if typed and not typed.startswith("/start"):  # It would begin here again.
                await self._do_typed(update, context, typed)
                # Start is easily pressed twice.
                return await self._chats.inline_requests.save(message.chat.id, "")
        if argument == GUEST_START and chat_key_of(message).is_private:
            await self._submitter.submit(update, JobKind.EXPORT)
            return None
        private_answer = read_payload(argument) if argument else None
        if private_answer is not None and chat_key_of(message).is_private:
            await self._submitter.submit(update, JobKind.PRIVATE_ANSWER, private_answer)
            return None
        if (card := card_of_start(context.args)) is not None:
            return await choose_skill(self._submitter, self._permissions, update, card)
        return await show_skill(self._submitter, update, SkillView.START)

    async def _do_typed(self, update: Update, context: Context, typed: str) -> None:
        """Do what a person typed behind the bot's name as if they had sent it here; an edit may wait for its clip."""
        if _only_edits_clip(typed):
            job = self._submitter.job(update, JobKind.EDIT, prompt=typed)
            await self._submitter.enqueue(update, [replace(job, payload=EditPayload(needs_clip=True))])
            return None
        sent = {**message_of(update).to_dict(), "text": typed, "entities": []}
        said = Update.de_json({"update_id": update.update_id, "message": sent}, context.bot)
        return await context.application.process_update(said)

    async def _help(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, help_message(message_of(update)))


def _only_edits_clip(words: str) -> bool:
    """Return whether words edit a clip that has to be there, and mean nothing to the bot itself."""
    is_phrase = action_for(words) is not None or command_for(words) is not None
    return edits_clip(words) and not is_phrase and read_links(words) == RequestLinks(words)


def help_message(message: Message) -> ListMessage:
    """Return how the bot is used in a chat, with the commands of its menu in the menu's own words."""
    is_private = message.chat.type == ChatType.PRIVATE
    commands = tuple(
        LocalizedMessage("help.command", {"command": name, "about": LocalizedMessage(f"command.{name}")})
        for name in (PRIVATE_MENU if is_private else GROUP_MENU)
    )
    return ListMessage(LocalizedMessage("help.private" if is_private else "help.group"), commands)
