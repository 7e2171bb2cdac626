"""Messages that are requests: words, links and files, albums and forwards, ``/edit``, ``/new``, and phrases."""

from dataclasses import replace

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, filters

from bot.job_types import COMMAND_JOBS, PRIVATE_MENU
from bot.jobs.buttons import RunSaved, VariationAspect
from bot.jobs.checkpoints import PREPARED_MESSAGE, MessageSend
from bot.jobs.messages import Button, Bytes, ListMessage, LocalizedMessage, Param, with_lines
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import (
    EditPayload,
    ExportPayload,
    MessagePayload,
    NewPayload,
    SkillView,
    VariationsPayload,
)
from bot.jobs.queue.album import MAX_CONTEXT_CHARS, ArrivedPart, PartText, RequestPart
from bot.jobs.queue.continued_jobs import make_retry_job
from bot.jobs.refusal_messages import link_refusal, with_request_kept, with_way_on
from bot.telegram.handlers.access import BEFORE_COMMANDS
from bot.telegram.handlers.button_presses import asks_for_decision
from bot.telegram.handlers.cancel import CancelHandlers
from bot.telegram.handlers.channel_posts import ChannelPosts
from bot.telegram.handlers.handler_family import (
    CommandInCaption,
    HandlerFamily,
    Handlers,
    TextCommandHandler,
    on_message,
)
from bot.telegram.handlers.projects import ProjectHandlers, last_editor_id
from bot.telegram.handlers.question_answers import QuestionHandlers, is_before
from bot.telegram.handlers.skills import show_skill
from bot.telegram.handlers.start_help import help_message
from bot.telegram.reading.addressing import (
    chat_key_of,
    is_reply,
    message_of,
    requester_id_of,
    telegram_chat_id_of,
)
from bot.telegram.reading.commands import EDIT, NEW, find_command, nearest_command, without_mention
from bot.telegram.reading.request import Request, answer_in, read_links, sent_at, words_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.sent_messages import BARE_ANSWER, CONFIRMATION, DECIDED, retriable_job_id
from bot.words.phrases import (
    PhraseAction,
    SmallTalk,
    action_for,
    asks_to_retry,
    command_for,
    hands_over,
    is_bare_answer,
    requested_output,
    says_nothing,
    small_talk,
)
from bot.words.video_requests import names_only_format_or_length

_REACTIONS = {SmallTalk.THANKS: "❤", SmallTalk.EMOJI: "👍"}
"""Reactions that replace a reply; both are among the emoji that Telegram allows."""


class _AnyCommand(filters.MessageFilter):
    """A text that begins with a command, whether Telegram has marked it or not."""

    def filter(self, message: Message) -> bool:
        return find_command(message.text or "", message.get_bot().username) is not None


class RequestHandlers(HandlerFamily):
    """Handles messages that are requests."""

    def _handlers(self) -> Handlers:
        ordinary = [
            TextCommandHandler(EDIT, self._edit),
            on_message(CommandInCaption(EDIT), self._edit),
            TextCommandHandler(NEW, self._new),
            on_message(CommandInCaption(NEW), self._new),
            on_message(_AnyCommand(), self._unknown_command),
            on_message(~filters.StatusUpdate.ALL, self._message),
        ]
        return {BEFORE_COMMANDS: [on_message(filters.TEXT, self._continue_cut_text)], 0: ordinary}

    async def _continue_cut_text(self, update: Update, context: Context) -> None:
        """Take the rest of a text that its sender's client has cut, whatever that says by itself.

        Raises:
            ApplicationHandlerStop: It is one; no other handler gets it.
        """
        message = message_of(update)
        if message.forward_origin is not None or not await self._job_queue.is_being_pasted(
            chat_key_of(message), requester_id_of(update), sent_at(message)
        ):
            return
        request = await self._submitter.read(message, context.bot.bot)
        text = words_of(message)
        links = read_links(text)
        words = PartText(text) if links.is_refused else PartText(links.prompt, links.media)
        arrival = ArrivedPart(request.part, words, kind="asked" if request.is_addressed else "unaddressed")
        await self._submitter.enqueue(update, [self._submitter.job(update, JobKind.EDIT)], arrival)
        raise ApplicationHandlerStop

    async def _edit(self, update: Update, context: Context) -> None:
        """Take ``/edit`` with words, with a file, or in reply to one: the way in for groups with privacy mode."""
        request = await self._submitter.read(message_of(update), context.bot.bot)
        if not request.prompt and not request.links and not request.attachments and not request.left_out:
            return await self._submitter.reply(update, LocalizedMessage("edit.how"))
        words = "" if request.command is None else request.command.words
        if not request.part.files and request.is_addressed and (phrase := action_for(words)) is not None:
            return await self._phrase(update, context, phrase, words)
        return await self._request(update, context, request)

    async def _new(self, update: Update, context: Context) -> None:
        """Begin a project; the words and files that come with ``/new`` are at once the first request in it.

        They say that a new project is meant, so nobody is asked first; the one before stays in ``/projects``.
        """
        message, projects = message_of(update), ProjectHandlers(self._services)
        request = await self._submitter.read(message, context.bot.bot)
        if message.text and (request.command is None or _only_begins(request)):
            return await projects.begin_or_ask(update, context)
        if request.command is None or not request.is_addressed:
            return await self._message(update, context)
        chat = await self._chats.get(chat_key_of(message))
        has_content = await self._chats.has_content(chat)
        has_topics = chat.key.is_private and context.bot.bot.has_topics_enabled
        if has_content and not has_topics:
            last_editor = await last_editor_id(self._submitter, chat.key)
            if not await self._permissions.may_change(update, last_editor):
                return await self._submitter.reply(update, LocalizedMessage("new.not_yours"))
        # The rest of an album comes to where it began, so its project does.
        is_followed = not (has_content and has_topics) or bool(request.part.album)
        new = self._submitter.job(update, JobKind.NEW, payload=NewPayload(is_followed=is_followed))
        return await self._request(update, context, request, new)

    async def _unknown_command(self, update: Update, context: Context) -> None:
        message = message_of(update)
        text = message.text or message.caption or ""
        command = find_command(text, context.bot.username)
        if command is None or not (message.chat.type == ChatType.PRIVATE or command.bot):
            return await self._submitter.record(message)
        params: dict[str, Param] = {"command": command.written}
        if (nearest := nearest_command(command.name, PRIVATE_MENU)) is None:
            return await self._submitter.reply(update, LocalizedMessage("error.unknown_command", params))
        params["nearest"] = f"/{nearest}"
        return await self._submitter.reply(update, LocalizedMessage("error.unknown_command_near", params))

    async def _message(self, update: Update, context: Context) -> None:
        """Handle every message that no handler registered before took, see ``registration.py``."""
        message, request = message_of(update), await self._submitter.read(message_of(update), context.bot.bot)
        if not request.is_addressed:
            return await self._not_for_bot(update, request)
        text = without_mention(words_of(message, context.bot.bot), context.bot.username)
        has_file = bool(request.part.files)
        phrase = None if has_file else action_for(text)
        if phrase is not PhraseAction.CANCEL and await ChannelPosts(self._services).take_caption(update):
            return None
        if asks_to_retry(text) and not has_file and await self._retry(update, message):
            return None
        if phrase not in (None, PhraseAction.CANCEL):
            questions = QuestionHandlers(self._services)
            if await questions.answer(update, context, text, only_options=True):
                return None
        if phrase is not None:
            return await self._phrase(update, context, phrase, text)
        if not text and not has_file and not message.text and not request.left_out:
            # A location, a contact, a poll, a die: in a group it may be meant for anybody.
            if message.chat.type == ChatType.PRIVATE:
                await self._submitter.reply(update, LocalizedMessage("error.unsupported"))
            return None
        return await self._request(update, context, request)

    async def _retry(self, update: Update, message: Message) -> bool:
        """Do what the button of the message before, or of the answered one, does: the agent would charge again.

        Returns:
            Whether that message has a button to try again.
        """
        key, where, sent = chat_key_of(message), telegram_chat_id_of(message.chat), self._submitter.sent
        if message.reply_to_message is not None and is_reply(message):
            replied_id = message.reply_to_message.message_id
            job_id = retriable_job_id(await self._job_queue.seen(key, where, replied_id))
        else:
            job_id = await sent.retriable_before(key, where, message.message_id)
        if job_id == "":
            await self._submitter.submit(update, JobKind.EXPORT)
        else:
            status = await self._job_queue.find(key, job_id) if job_id is not None else None
            if status is None:
                return False
            if not await self._permissions.may_change(update, status.job.requester_id):
                await self._submitter.reply(update, LocalizedMessage("toast.not_yours"))
                return True
            again = await make_retry_job(self._job_queue, self._chats, status.job, self._clock.now())
            if again is None:
                await self._submitter.reply(update, LocalizedMessage("retry.running"))
            else:
                await self._submitter.enqueue(update, [again])
        await self._submitter.record(message, BARE_ANSWER)
        return True

    async def _phrase(self, update: Update, context: Context, phrase: PhraseAction, text: str) -> None:
        """Do what the bot does by itself, without the agent."""
        message = message_of(update)
        match phrase:
            case PhraseAction.UPLOAD:
                card = await self._submitter.card(update, message)
                await self._submitter.reply(update, self._services.refusals.upload_help(card))
            case PhraseAction.HELP:
                await self._submitter.reply(update, help_message(message))
            case PhraseAction.CANCEL:
                await CancelHandlers(self._services).cancel(update, context)
            case PhraseAction.NEW:
                await ProjectHandlers(self._services).begin_or_ask(update, context)
            case PhraseAction.VARY_MUSIC | PhraseAction.VARY_TITLE | PhraseAction.VARY_FORMAT:
                chosen = VariationsPayload(aspect=VariationAspect(phrase.removeprefix("vary_")))
                await self._submitter.submit(update, JobKind.OFFER_VARIATIONS, chosen)
            case _:
                job_type = COMMAND_JOBS[phrase]
                output = requested_output(text) if phrase is PhraseAction.EXPORT else ()
                payload = ExportPayload(output=output) if output else None
                await self._submitter.submit(update, job_type.kind, payload)

    async def _request(
        self, update: Update, context: Context, request: Request, new: Job | None = None
    ) -> None:
        """Store a request, and before it the job that begins its project, if it has one."""
        message = message_of(update)
        is_text_only = not (request.attachments or request.part.is_forwarded)
        answers_question = False
        if is_text_only and new is None:
            questions = QuestionHandlers(self._services)
            stated = (
                request.command.words if request.command is not None else words_of(message, context.bot.bot)
            )
            answer = answer_in(without_mention(stated, context.bot.username))
            # The rest of a cut text is still to come.
            answers_question = request.part.is_full and await questions.is_asked(update)
            if answer and not answers_question and await questions.answer(update, context, answer):
                return None
        has_own_file = bool(request.part.files or request.links or request.part.is_forwarded)
        may_answer = is_bare_answer(request.prompt) or names_only_format_or_length(request.prompt)
        is_answer = is_text_only and not request.links and may_answer
        if is_answer and (key := await self._answers_bot(message, request)) is not None:
            await self._submitter.reply(update, LocalizedMessage(key))
            return await self._submitter.record(message, BARE_ANSWER)
        if (talk := await self._small_talk(message, request)) is not None and not has_own_file:
            line = MessagePayload(
                message=LocalizedMessage(f"small_talk.{talk}"), reaction=_REACTIONS.get(talk, "")
            )
            await self._submitter.submit(update, JobKind.MESSAGE, line)
            return None
        asks_nothing = talk is not None or _asks_nothing(request) or _is_for_bot(request)
        if asks_nothing or await self._only_hands_over(message, request):
            request = replace(request, prompt="")  # A heart under a clip asks for nothing.
        card = await self._submitter.card(update, message)
        part = self._services.refusals.checked(request.part, card)
        replied = None if request.replied is None else self._services.refusals.checked(request.replied, card)
        source = replied or part
        is_alone = replied is not None or (not part.album and not part.is_forwarded)
        if source.refusal is not None and is_alone and not source.files:
            refused = replace(part, refusal=source.refusal)
            joins = new is None and replied is None
            return await self._refuse(update, refused, request.prompt, new=new, joins=joins)
        has_words = bool(request.prompt or request.links or request.left_out)
        if not source.files and source.refusal is None and not has_words:
            return await show_skill(self._submitter, update, SkillView.START)
        if request.is_refused:
            refused = replace(part, refusal=await self._refusal(message, request, new))
            # In one message: an update stores its jobs once.
            others, joins = request.left_out[1:], new is None
            return await self._refuse(update, refused, request.offered, *others, new=new, joins=joins)
        is_about_refused = is_text_only and not request.links and new is None and not answers_question
        if is_about_refused and (refusal := await self._refusal_before(update, message)) is not None:
            refused = replace(part, refusal=refusal)
            return await self._refuse(update, refused, request.prompt, new=None, joins=False)
        jobs = [
            self._submitter.job(update, JobKind.MESSAGE, payload=MessagePayload(message=said))
            for said in (*request.left_out, *_smaller(request.replied or request.part, source))
        ]
        if request.still is not None and replied is None and not part.album:
            held = self._submitter.job(update, JobKind.MESSAGE, prompt=request.prompt, files=(request.still,))
            button = Button("button.use_still", RunSaved(held.id))
            taken = LocalizedMessage("upload.live_photo", buttons=(button,), quiet=True)
            jobs.append(
                replace(held, payload=MessagePayload(message=taken, new_job_id=new.id if new else ""))
            )
        words = PartText(request.prompt, request.links)
        # The file, with all of its album, belongs to the answered message, but the request to this one.
        arrival = ArrivedPart(
            replace(part, context="" if answers_question else request.context[:MAX_CONTEXT_CHARS]),
            words,
            replied_album=replied.album if replied else "",
            replied_part=replied,
            kind="asked" if new is None else "begins",
        )
        if new is None or new.payload_as(NewPayload).is_followed:
            payload = EditPayload(new_job_id=new.id if new else "", answers_question=answers_question)
            edit = self._submitter.job(update, JobKind.EDIT, payload=payload)
            jobs += [edit] if new is None else [new, edit]
        else:
            jobs.append(new)
        # Without prompt and files: those are stored as parts, and join the job in ``album.read_gathered_job``.
        await self._submitter.enqueue(update, jobs, arrival)
        return None

    async def _answers_bot(self, message: Message, request: Request) -> str | None:
        """Return the key of the reply to a bare answer that isn't for the agent; ``None`` if it may be.

        The agent would be paid for what was said to the bot, or to nobody.
        """
        key, replied = chat_key_of(message), message.reply_to_message
        if asks_for_decision(replied):
            return "confirm.press"
        where = telegram_chat_id_of(message.chat)
        if replied is not None:
            is_decided = await self._job_queue.seen(key, where, replied.message_id) == DECIDED
            if is_decided and is_bare_answer(request.prompt):
                return "confirm.nothing"
        before = await self._submitter.sent.confirmation_before(key, where, message.message_id)
        if before == CONFIRMATION:
            return "confirm.press"
        if not is_bare_answer(request.prompt):
            return None  # A format that nobody asked for is a request.
        if replied is None and await self._submitter.sent.is_offered_before(key, where, message.message_id):
            return None if await self._agent_asks(message) else "confirm.press"
        chat = await self._chats.get(key)
        has_spoken = chat.answer_job_id is not None and chat.answer_session_id == chat.session_id
        is_for_agent = bool(request.context) or (has_spoken and before is None)
        return None if is_for_agent else "confirm.nothing"

    async def _small_talk(self, message: Message, request: Request) -> SmallTalk | None:
        """Return the kind of small talk that a message is, unless it may answer what the agent asked in words."""
        talk = None if request.is_edit else small_talk(request.prompt)
        if talk is None:
            return None
        return None if await self._agent_asks(message) else talk

    async def _only_hands_over(self, message: Message, request: Request) -> bool:
        """Return whether words beside a file ask for nothing, and don't answer what the agent asked in words either."""
        if not (request.attachments or request.links):
            return False
        # In reply to a result, "2" may choose what its caption offers.
        is_own = request.replied is None
        if not (hands_over(request.prompt) or (is_own and is_bare_answer(request.prompt))):
            return False
        return not await self._agent_asks(message)

    async def _agent_asks(self, message: Message) -> bool:
        answered = await self._submitter.latest_answer(await self._chats.get(chat_key_of(message)))
        return answered is not None and answered.text.rstrip().endswith(("?", "？"))

    async def _refusal(self, message: Message, request: Request, new: Job | None = None) -> LocalizedMessage:
        """Return why a refused request can't be done."""
        chat = await self._chats.get(chat_key_of(message))
        has_project = new is None and chat.session_id is not None
        return link_refusal(request.left_out[0], has_project=has_project)

    async def _refusal_before(self, update: Update, message: Message) -> LocalizedMessage | None:
        """Return why the message right before this one can't be used, if its sender had not read that yet."""
        chat = await self._chats.get(chat_key_of(message))
        refused = await self._job_queue.refusal_before(chat.key, requester_id_of(update), sent_at(message))
        if refused is None:
            return None
        send = await self._job_queue.load_checkpoint(refused.job, MessageSend, PREPARED_MESSAGE)
        if send is not None and not is_before(message, send):
            return None
        said = refused.job.payload_as(MessagePayload).message
        if isinstance(said, ListMessage):
            said = said.heading
        return said if said.buttons else link_refusal(said, has_project=chat.session_id is not None)

    async def _refuse(
        self,
        update: Update,
        part: RequestPart,
        words: str,
        *others: LocalizedMessage,
        new: Job | None,
        joins: bool,
    ) -> None:
        """Say why a part can't be used, and keep the request's words for the message's buttons.

        The project that it should begin isn't begun before one of them is pressed.

        Args:
            update: The update being handled.
            part: The part, with its refusal.
            words: The words that can be run all the same.
            *others: What else is to be said.
            new: The job that would begin its project, if it should begin one.
            joins: Whether the part may belong to words that were sent within the same moment: they are refused then.
        """
        if part.refusal is None:
            raise TypeError("the part is not refused")
        job = self._submitter.job(update, JobKind.MESSAGE, prompt=words)
        message = with_lines(with_request_kept(with_way_on(part.refusal), job), others)
        arrival = ArrivedPart(part, PartText(words), kind="refused") if joins else None
        payload = MessagePayload(message=message, new_job_id=new.id if new else "")
        await self._submitter.enqueue(update, [replace(job, payload=payload)], arrival)

    async def _not_for_bot(self, update: Update, request: Request) -> None:
        """Keep a message that isn't for the bot if it may belong to an album or to forwards that are."""
        part, words, message = request.part, PartText(), message_of(update)
        if message.text and part.is_forwarded:
            words = PartText(request.prompt, request.links)
        elif not part.files or not (part.album or part.is_forwarded):
            return await self._submitter.record(message)
        if request.is_refused:
            part = replace(part, refusal=await self._refusal(message, request))
        edit = self._submitter.job(update, JobKind.EDIT)
        card = await self._submitter.card(update, message)
        arrival = ArrivedPart(self._services.refusals.checked(part, card), words, kind="unaddressed")
        await self._submitter.enqueue(update, [edit], arrival)
        return None


def _only_begins(request: Request) -> bool:
    """Return whether the words behind ``/new`` ask for nothing more, such as "project" or "please"."""
    words = "" if request.command is None else request.command.words
    if not words or request.part.files or request.links or request.left_out:
        return not words
    begins = action_for(words) is not None or action_for(f"new {words}") is PhraseAction.NEW
    return begins or is_bare_answer(words) or says_nothing(words) or small_talk(words) is not None


def _asks_nothing(request: Request) -> bool:
    """Return whether words say nothing; an emoji that was not taken for small talk answers what the agent asked."""
    answers = not request.is_edit and small_talk(request.prompt) is not None
    return says_nothing(request.prompt) and not (request.context or answers)


def _is_for_bot(request: Request) -> bool:
    """Return whether words beside a file, such as "credits", are none for the agent; it may know what to export."""
    if not (request.part.files or request.links):
        return False
    action = action_for(request.prompt)
    return command_for(request.prompt) is not None or action not in (None, PhraseAction.EXPORT)


def _smaller(given: RequestPart, checked: RequestPart) -> tuple[LocalizedMessage, ...]:
    """Return which smaller version of a video was taken, if one was."""
    if not checked.files or given.files[0].file_id == checked.files[0].file_id:
        return ()
    taken, original = checked.files[0], given.files[0]
    quality = f"{min(taken.width or 0, taken.height or 0)}p"
    params: dict[str, Param] = {"quality": quality, "size": Bytes(taken.size or 0)}
    if original.size is None:
        return (LocalizedMessage("upload.smaller_unknown", params, quiet=True),)
    params["original"] = Bytes(original.size)
    return (LocalizedMessage("upload.smaller", params, quiet=True),)
