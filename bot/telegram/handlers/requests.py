"""Messages that are requests: words, links and files, albums and forwards, ``/edit``, and phrases such as "export"."""

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import filters

from bot.job_types import COMMAND_JOBS
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, JobKind, QueueName
from bot.jobs.payloads import SayPayload
from bot.jobs.queue.album import ArrivedPart, PartText, RequestPart
from bot.jobs.steps.show_skills import START
from bot.telegram.handlers.cancel import CancelHandlers
from bot.telegram.handlers.handler_family import HandlerFamily, HandlerServices
from bot.telegram.handlers.login import LoginHandlers, token_in
from bot.telegram.handlers.question_answers import QuestionHandlers
from bot.telegram.handlers.skills import show_skill
from bot.telegram.reading.addressing import is_for_bot, is_reply, message_of, without_mention
from bot.telegram.reading.attachments import attachment_of
from bot.telegram.reading.commands import COMMAND, EDIT_COMMAND
from bot.telegram.reading.links import read_links
from bot.telegram.receiving.application import Context
from bot.words.phrases import PhraseAction, action_for


class RequestHandlers(HandlerFamily):
    """Handles messages that are requests."""

    def __init__(
        self,
        services: HandlerServices,
        login: LoginHandlers,
        cancel: CancelHandlers,
        questions: QuestionHandlers,
    ) -> None:
        super().__init__(services)
        self._refusals = services.refusals
        self._login = login
        self._cancel = cancel
        self._questions = questions

    def register_edit(self) -> None:
        """Add the handlers of ``/edit``."""
        self.on_command("edit", self._edit)
        # PTB's command handlers read no captions, where a request with a file stands.
        self.on_message(filters.CaptionRegex(EDIT_COMMAND), self._edit)

    def register_messages(self) -> None:
        """Add the handler of all other messages, behind those of commands."""
        self.on_message(~filters.StatusUpdate.ALL, self._message)

    async def _edit(self, update: Update, context: Context) -> None:
        """Take ``/edit`` with words, with a file, or in reply to one: the way in for groups with privacy mode."""
        message = message_of(update)
        text = COMMAND.sub("", message.text or message.caption or "")
        source = _source_of(message)
        if not text.strip() and attachment_of(source) is None:
            return await self._submitter.reply(update, LocalizedMessage("edit.how"))
        return await self._request(update, context, text, source)

    async def _message(self, update: Update, context: Context) -> None:
        message = message_of(update)
        if not is_for_bot(message, context.bot.id, context.bot.username):
            return await self._not_for_bot(update)
        text = without_mention(message, context.bot.username)
        has_file = attachment_of(message) is not None
        phrase = None if has_file else action_for(text)
        if phrase is not None:
            return await self._phrase(update, context, phrase)
        if not text and not has_file and not message.text:
            # A location, a contact, a poll, a die: in a group it may be meant for anybody.
            if message.chat.type == ChatType.PRIVATE:
                await self._submitter.reply(update, LocalizedMessage("error.unsupported"))
            return None
        warning = None
        if message.caption and (command := COMMAND.match(text)) is not None:
            # The agent would charge for the command; the file is used all the same.
            warning = LocalizedMessage("error.command_in_caption", {"command": command[0].strip()})
            text = text[command.end() :]
        return await self._request(update, context, text, _source_of(message), warning)

    async def _phrase(self, update: Update, context: Context, phrase: PhraseAction) -> None:
        """Do what the bot does by itself, without the agent."""
        match phrase:
            case PhraseAction.UPLOAD:
                card = await self._submitter.card(update, message_of(update))
                await self._submitter.reply(update, self._refusals.upload_help(card))
            case PhraseAction.HELP:
                await self._submitter.reply(update, LocalizedMessage("help.text"))
            case PhraseAction.CANCEL:
                await self._cancel.cancel(update, context)
            case _:
                job_type = COMMAND_JOBS[phrase]
                await self._submitter.submit(update, job_type.queue, job_type.kind)

    async def _request(
        self,
        update: Update,
        context: Context,
        text: str,
        source: Message,
        warning: LocalizedMessage | None = None,
    ) -> None:
        """Store a request.

        Args:
            update: The update with the message.
            context: PTB's context of it.
            text: The words, without command and mention.
            source: The message that brings the file: this one, or the one that it replies to.
            warning: What to say about the words, if anything.
        """
        if (token := token_in(text)) is not None:
            # Most likely pasted without the command; the agent must never get it, nor may it be stored in a request.
            return await self._login.use_token(update, context, token)
        message = message_of(update)
        is_words_alone = attachment_of(source) is None and message.forward_origin is None
        if is_words_alone and text.strip() and await self._questions.answer(update, context, text):
            return None
        part = await self._part(update, source)
        is_alone = source is not message or (not part.album and not part.is_forwarded)
        if part.refusal is not None and is_alone and not part.files:
            return await self._submitter.reply(update, part.refusal)
        if not part.files and part.refusal is None and not text.strip():
            return await show_skill(self._submitter, update, START)
        # Before the words are cut, so that no address is cut in half.
        links = read_links(text)
        warning = links.warning or warning
        said = SayPayload(message=warning) if warning is not None else None
        jobs = [self._submitter.job(update, QueueName.QUICK, JobKind.SAY, payload=said)] if said else []
        if links.is_refused:
            await self._submitter.enqueue(update, jobs)
            return None
        words = PartText(links.prompt.strip()[:MAX_PROMPT_CHARS], links.media)
        arrival = ArrivedPart(part, words)
        if source is not message:
            # The file, with all of its album, is of the message replied to; the request is this message's.
            own = RequestPart(message.message_id, sent_at(message))
            arrival = ArrivedPart(own, words, replied_album=part.album, replied_part=part)
        edit = self._submitter.job(update, QueueName.MAIN, JobKind.EDIT)
        await self._submitter.enqueue(update, [*jobs, edit], arrival)
        return None

    async def _part(self, update: Update, source: Message) -> RequestPart:
        file = attachment_of(source)
        sender = source.from_user
        is_result = file is not None and sender is not None and sender.id == source.get_bot().id
        refusal = None
        if file is not None:
            refusal = self._refusals.refusal(file, await self._submitter.card(update, message_of(update)))
        if file is not None and is_result:
            # All results have the same name.
            file = replace(file, name=f"video_{source.message_id}.mp4", is_result=True)
        return RequestPart(
            source.message_id,
            sent_at(source),
            # The project's latest video needs no upload, however large it is.
            files=(file,) if file is not None and (refusal is None or is_result) else (),
            album=source.media_group_id or "",
            is_forwarded=source.forward_origin is not None,
            refusal=refusal,
        )

    async def _not_for_bot(self, update: Update) -> None:
        """Keep a file that is not for the bot if it may belong to an album, or to forwards, that are."""
        message = message_of(update)
        is_several = message.media_group_id is not None or message.forward_origin is not None
        if attachment_of(message) is None or not is_several:
            return await self._submitter.note(message)
        edit = self._submitter.job(update, QueueName.MAIN, JobKind.EDIT)
        arrival = ArrivedPart(await self._part(update, message), kind="beside")
        await self._submitter.enqueue(update, [edit], arrival)
        return None


def _source_of(message: Message) -> Message:
    """Return the message whose file a request is about: its own, or the one that it replies to."""
    replied = message.reply_to_message
    if attachment_of(message) is not None or replied is None or not is_reply(message):
        return message
    sender = replied.from_user
    is_ours = sender is not None and sender.id == message.get_bot().id
    # The photos that the bot sends are drawings of the timeline.
    is_usable = attachment_of(replied) is not None and not (is_ours and replied.photo)
    return replied if is_usable else message


def sent_at(message: Message) -> int:
    """Return when a message was sent, in whole seconds of Telegram's clock."""
    return int(message.date.timestamp())
