"""Requests that are saved to use them again: ``/save``, ``/templates``, and the buttons of the list."""

from telegram import Message, Update

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.chats.templates import MAX_TEMPLATE_NAME_CHARS, MAX_TEMPLATE_PROMPT_CHARS, MAX_TEMPLATES, Template
from bot.jobs.buttons import DeleteTemplate, ListTemplates, RunTemplate, ShowTemplate
from bot.jobs.checkpoints import Turn
from bot.jobs.messages import Button, ListMessage, LocalizedMessage
from bot.jobs.model import JobKind
from bot.jobs.steps.ask_for_clip import KEPT_FOR
from bot.telegram.handlers.button_presses import Press, PressReply
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler
from bot.telegram.reading.addressing import chat_key_of, message_of, telegram_chat_id_of
from bot.telegram.receiving.application import Context
from bot.words import bounded

_LINE_CHARS = 60
_GONE = PressReply("templates.gone")


class TemplateHandlers(HandlerFamily):
    """Handles ``/save`` and ``/templates``, and the buttons of the list of templates."""

    def _handlers(self) -> Handlers:
        return [
            TextCommandHandler("save", self._save),
            TextCommandHandler("templates", self._templates),
            self._on_press(self._list, ListTemplates),
            self._on_press(self._show, ShowTemplate),
            self._on_press(self._run, RunTemplate),
            self._on_press(self._delete, DeleteTemplate),
        ]

    async def _save(self, update: Update, context: Context) -> None:
        message, templates = message_of(update), self._chats.templates
        name = bounded(" ".join(context.args or ()), MAX_TEMPLATE_NAME_CHARS)
        prompt = await self._prompt_to_save(message)
        if not name or not prompt:
            key = "templates.nothing_to_save" if name else "templates.how"
            return await self._submitter.reply(update, LocalizedMessage(key))
        if len(prompt) > MAX_TEMPLATE_PROMPT_CHARS:
            params = {"limit": MAX_TEMPLATE_PROMPT_CHARS}
            return await self._submitter.reply(update, LocalizedMessage("templates.too_long", params))
        template = Template(name=name, prompt=prompt, saved_at=self._clock.now())
        if not await templates.save(chat_key_of(message), template):
            return await self._submitter.reply(
                update, LocalizedMessage("templates.full", {"n": MAX_TEMPLATES})
            )
        show = Button("button.templates", ListTemplates())
        saved = LocalizedMessage("templates.saved", {"name": name, "prompt": prompt}, (show,))
        return await self._submitter.reply(update, saved)

    async def _prompt_to_save(self, message: Message) -> str:
        """Return the request that a message replies to, or else the chat's latest, with the answers it was given."""
        job_queue, key = self._job_queue, chat_key_of(message)
        status = None
        if (replied := message.reply_to_message) is not None:
            status = await job_queue.find_by_message(
                key, telegram_chat_id_of(message.chat), replied.message_id
            )
        if status is None and (job_id := (await self._chats.get(key)).answer_job_id) is not None:
            status = await job_queue.find(key, job_id)
        if status is None or status.job.kind is not JobKind.EDIT:
            return ""
        turn = await job_queue.load_checkpoint(status.job, Turn)
        return f"{status.job.prompt}\n\n{turn.prompt}" if turn is not None else status.job.prompt

    async def _templates(self, update: Update, context: Context) -> None:
        await self._submitter.reply(update, await self._all(chat_key_of(message_of(update))))

    async def _list(self, press: Press, action: ListTemplates) -> PressReply:
        return await self.show_view(press, await self._all(press.chat))

    async def _show(self, press: Press, action: ShowTemplate) -> PressReply:
        template = await self._chats.templates.find(press.chat, action.mark)
        return _GONE if template is None else await self.show_view(press, _view(template))

    async def _run(self, press: Press, action: RunTemplate) -> PressReply:
        template = await self._chats.templates.find(press.chat, action.mark)
        if template is None:
            return _GONE
        if action.on_next_file:
            waits = LocalizedMessage("templates.waits", {"name": template.name, "prompt": template.prompt})
            reply = await self.show_view(press, waits)
            until = self._clock.now() + KEPT_FOR
            await self._chats.update(
                press.chat, ChatFields(saved_prompt=template.prompt, saved_prompt_until=until)
            )
            return reply
        return await self.send_prompt(press, await self.prompt_job(press, template.prompt, needs_clip=True))

    async def _delete(self, press: Press, action: DeleteTemplate) -> PressReply:
        await self.ensure_may_change_settings(press)
        await self._chats.templates.delete(press.chat, action.mark)
        return PressReply("toast.template_deleted", show=await self._all(press.chat))

    async def _all(self, key: ChatKey) -> LocalizedMessage | ListMessage:
        templates = await self._chats.templates.all(key)
        if not templates:
            return LocalizedMessage("templates.none")
        lines = [
            LocalizedMessage(
                "templates.line", {"name": template.name, "prompt": bounded(template.prompt, _LINE_CHARS)}
            )
            for template in templates
        ]
        buttons = [Button(text=one.name, action=ShowTemplate(one.mark)) for one in templates]
        return ListMessage(LocalizedMessage("templates.heading"), tuple(lines), tuple(buttons))


def _view(template: Template) -> LocalizedMessage:
    buttons = (
        Button("button.on_next_file", RunTemplate(on_next_file=True, mark=template.mark)),
        Button("button.on_this_project", RunTemplate(on_next_file=False, mark=template.mark)),
        Button("button.delete", DeleteTemplate(template.mark)),
        Button("button.back", ListTemplates()),
    )
    return LocalizedMessage("templates.one", {"name": template.name, "prompt": template.prompt}, buttons)
