"""Answers to the agent's questions: pressed options, ticks, and messages in words."""

from telegram import Message, Update

from bot.jobs.buttons import AnswerQuestion
from bot.jobs.checkpoints import AgentAnswered, MessageSend
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS, Job, MessageLocation
from bot.jobs.question_messages import (
    answered_message,
    find_question,
    labels_for,
    message_key,
    question_message,
)
from bot.jobs.queue.open_questions import AnswerOutcome
from bot.nemo.questions import QuestionSet
from bot.telegram.handlers.button_presses import NO_BUTTONS, OLD_JOB, Press, PressReply, action_of, buttons_of
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers
from bot.telegram.handlers.job_submitter import ANSWER_MARK
from bot.telegram.handlers.permissions import is_own
from bot.telegram.reading.addressing import chat_key_of, is_reply, message_of
from bot.telegram.receiving.application import Context
from bot.telegram.sending.located_messages import View
from bot.words import Words

OVER = PressReply("toast.answered_already", buttons=NO_BUTTONS)


class QuestionHandlers(HandlerFamily):
    """Handles the buttons of questions, and messages that answer one."""

    def _handlers(self) -> Handlers:
        return [self._on_press(self._press, AnswerQuestion)]

    async def _press(self, press: Press, action: AnswerQuestion) -> PressReply:
        status = await self._job_queue.find(press.chat, action.job_id)
        if status is None and (
            topic := await self._job_queue.questions.find_topic(press.chat, action.job_id)
        ):
            status = await self._job_queue.find(topic, action.job_id)
        if status is None:
            return OLD_JOB
        job = status.job
        await self.ensure_may_change(press, job.requester_id)
        found = find_question(await self._job_queue.load_checkpoint(job, AgentAnswered), action.question_id)
        if found is None:
            return OVER
        question_set, index = found
        question = question_set.questions[index]
        if action.option == AnswerQuestion.DONE:
            chosen = sorted(await self._job_queue.questions.ticked_options(job))
            if not chosen:
                is_open = await self._job_queue.questions.open_question_id(job) == action.question_id
                return PressReply("toast.tick_first") if is_open else OVER
        else:
            chosen = [int(action.option)] if action.option.isdecimal() else []
        labels = [question.options[option] for option in chosen if option < len(question.options)]
        if not labels:
            return OVER
        if question.allow_multiple and action.option != AnswerQuestion.DONE:
            return await self._toggle_option(press, job, question_set, index, action)
        outcome = await self._job_queue.questions.answer(
            job, action.question_id, labels, press.update.update_id
        )
        if outcome is AnswerOutcome.OVER:
            return OVER
        return PressReply(show=answered_message(question_set, index, labels))

    async def _toggle_option(
        self, press: Press, job: Job, question_set: QuestionSet, index: int, action: AnswerQuestion
    ) -> PressReply:
        questions, update_id = self._job_queue.questions, press.update.update_id
        if await questions.toggle_option(job, action.question_id, int(action.option), update_id) is None:
            return OVER

        async def show(words: Words) -> View:
            # As it is now: of two presses the later one may be drawn first.
            ticked = await questions.ticked_options(job)
            if await questions.open_question_id(job) != action.question_id:
                return question_message(job, question_set, action.question_id, index)
            return question_message(job, question_set, action.question_id, index, ticked)

        return PressReply(show=show)

    async def is_asked(self, update: Update) -> bool:
        """Return whether the agent's open question in the chat is for who caused an update."""
        job_queue, chat = self._job_queue, chat_key_of(message_of(update))
        job_id = await job_queue.questions.asking_job_id(chat)
        status = None if job_id is None else await job_queue.find(chat, job_id)
        return status is not None and is_own(update, status.job.requester_id)

    async def answer(
        self, update: Update, context: Context, text: str, *, only_options: bool = False
    ) -> bool:
        """Take a message as the answer to the chat's open question, if it is one.

        Args:
            update: The update with the message.
            context: PTB's context of it.
            text: The words, without command and mention.
            only_options: Whether words of the person's own don't count as an answer.

        Returns:
            Whether that is all there is to do with the message.
        """
        message, job_queue = message_of(update), self._job_queue
        chat = chat_key_of(message)
        job_id = await job_queue.questions.asking_job_id(chat)
        if job_id is None and (asking := _replied_question(message)) is not None:
            chat = await job_queue.questions.find_topic(chat, asking.job_id) or chat
            job_id = asking.job_id
        status = None if job_id is None else await job_queue.find(chat, job_id)
        question_id = None if status is None else await job_queue.questions.open_question_id(status.job)
        if status is None or question_id is None:
            return False
        job = status.job
        found = find_question(await job_queue.load_checkpoint(job, AgentAnswered), question_id)
        if found is None:
            return False
        question_set, index = found
        labels = labels_for(question_set.questions[index], text)
        if only_options and not labels:
            return False
        send = await job_queue.load_checkpoint(job, MessageSend, message_key(question_id))
        if send is None or is_before(message, send):
            return False  # Nobody answers what they have not seen.
        shown = _shown_in(job, send)
        replied = message.reply_to_message if is_reply(message) else None
        is_to_it = replied is not None and shown is not None and replied.message_id == shown.message_id
        if not is_own(update, job.requester_id):
            if not is_to_it:
                return False
            if not await self._permissions.may_change(update, job.requester_id):
                await self._submitter.reply(update, LocalizedMessage("toast.not_yours"))
                return True
        words = labels or [text[:MAX_PROMPT_CHARS]]
        outcome = await job_queue.questions.answer(job, question_id, words, update.update_id)
        if outcome is AnswerOutcome.OVER:
            return False
        await self._submitter.record(message, ANSWER_MARK)
        if shown is not None and outcome is not AnswerOutcome.REPEATED:
            view = answered_message(question_set, index, words)
            redraw = self._services.presses.show(update, chat_key_of(message), shown, view)
            context.application.create_task(redraw, update, name="answered question")
        return True


def is_before(message: Message, send: MessageSend) -> bool:
    """Return whether a message was written before another was sent, by the chat's message numbers."""
    if send.sent is None:
        return message.message_id <= send.newest_before
    is_same_chat = send.sent.telegram_chat_id == message.chat.id
    return is_same_chat and message.message_id < send.sent.message_id


def _shown_in(job: Job, send: MessageSend) -> MessageLocation | None:
    if send.sent is None:
        return None
    return MessageLocation(job.chat.chat_id, send.sent.telegram_chat_id, send.sent.message_id)


def _replied_question(message: Message) -> AnswerQuestion | None:
    """Return an answer's button under the message that is replied to."""
    actions = map(action_of, buttons_of(message.reply_to_message))
    return next((action for action in actions if isinstance(action, AnswerQuestion)), None)
