"""The agent's questions as a chat sees them, each in a message of its own."""

import re
from collections.abc import Collection
from dataclasses import replace

from bot.jobs.buttons import AnswerQuestion
from bot.jobs.checkpoints import AgentAnswered, Checkpoints, MessageSend
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param
from bot.jobs.model import Job
from bot.jobs.ports import Responder
from bot.nemo.questions import NO_WORDS, Question, QuestionSet
from bot.runtime.hosts import host_of, may_be_linked
from bot.words import Words, bounded
from bot.words.phrases import fold

MAX_BUTTON_CHARS = 40  # what a phone shows of a button; longer labels stand in the text too


def question_id_of(answered: AgentAnswered, index: int) -> str:
    """Return the id of a question, such as ``2.0``: the number of the agent's turn, and the question's, from 0."""
    return f"{answered.turn}.{index}"


def find_question(answered: AgentAnswered | None, question_id: str) -> tuple[QuestionSet, int] | None:
    """Return the questions of a turn, and which of them has this id; ``None`` for one of another turn."""
    if answered is None or answered.question_set is None:
        return None
    for index in range(len(answered.question_set.questions)):
        if question_id_of(answered, index) == question_id:
            return answered.question_set, index
    return None


def in_words(question_set: QuestionSet, words: Words) -> QuestionSet:
    """Return the questions with the prompts and options that the agent leaves to us."""
    return replace(question_set, questions=tuple(_in_words(one, words) for one in question_set.questions))


def _in_words(question: Question, words: Words) -> Question:
    if question.login_url is not None:
        return _login_in_words(question, words)
    if not question.is_confirmation:
        return (
            replace(question, prompt=words.plain("question.which"))
            if question.prompt == NO_WORDS
            else question
        )
    own = words.plain("question.confirm_tool", tool=question.tool) if question.tool else ""
    return replace(
        question,
        prompt=question.prompt or own or words.plain("question.confirm"),
        options=(words.plain("button.yes"), words.plain("button.no")),
    )


def _login_in_words(question: Question, words: Words) -> Question:
    url = question.login_url or ""
    if not (url.startswith("https:") and may_be_linked(url)):
        return replace(
            question,
            prompt=words.plain("question.login_elsewhere"),
            options=(words.plain("button.go_on_without"),),
            login_url="",
        )
    return replace(
        question,
        prompt=words.plain("question.login", host=host_of(url)),
        options=(words.plain("button.logged_in"), words.plain("button.go_on_without")),
    )


def question_message(
    job: Job, question_set: QuestionSet, question_id: str, index: int, ticked: Collection[int] = ()
) -> ListMessage:
    """Return a question with its options as buttons.

    Args:
        job: The job that asks.
        question_set: The questions of the turn.
        question_id: The question's id.
        index: Which of them it is, from 0.
        ticked: The options that are ticked, where several may be.
    """
    question = question_set.questions[index]
    lines = _lines(question_set, index)
    if any(len(label) > MAX_BUTTON_CHARS for label in question.options):
        lines += [LocalizedMessage("question.option", {"label": label}) for label in question.options]
    reply = LocalizedMessage("question.reply" if job.chat.is_private else "question.reply_group")
    lines.append(LocalizedMessage(f"question.hint_{_kind(question)}", {"reply": reply}))
    login = [Button("button.log_in_there", url=question.login_url)] if question.login_url else []
    buttons = login + [
        Button(
            # An option whose label shows nothing gets its number.
            text=_mark(question, option in ticked)
            + (bounded(label, MAX_BUTTON_CHARS).strip() or str(option + 1)),
            action=AnswerQuestion(job.id, question_id, str(option)),
        )
        for option, label in enumerate(question.options)
    ]
    if question.options and question.allow_multiple:
        buttons.append(Button("button.done", AnswerQuestion(job.id, question_id, AnswerQuestion.DONE)))
    return ListMessage(lines[0], tuple(lines[1:]), tuple(buttons))


def answered_message(question_set: QuestionSet, index: int, answer: Collection[str]) -> ListMessage:
    """Return a question with its answer."""
    lines = [
        *_lines(question_set, index),
        LocalizedMessage("question.answered", {"answer": bounded(", ".join(answer), MAX_ANSWER_CHARS)}),
    ]
    return ListMessage(lines[0], tuple(lines[1:]))


MAX_ANSWER_CHARS = 500  # what an answered question shows of the answer


async def close_questions(
    responder: Responder, checkpoints: Checkpoints, answered: AgentAnswered | None
) -> None:
    """Remove the buttons of the questions of the agent's latest turn, which take no answer any more."""
    if answered is None or answered.question_set is None:
        return
    for index in range(len(answered.question_set.questions)):
        send = checkpoints.load(MessageSend, message_key(question_id_of(answered, index)))
        if send is not None and send.sent is not None:
            await responder.delete_message(
                send.sent.telegram_chat_id, send.sent.message_id, only_buttons=True
            )


def idempotency_key(question_id: str) -> str:
    """Return the idempotency key of a question's message."""
    return f"question.{question_id}"


def message_key(question_id: str) -> str:
    """Return the key of the ``MessageSend`` of a question: its message is a single one."""
    return f"{idempotency_key(question_id)}.0"


def _lines(question_set: QuestionSet, index: int) -> list[LocalizedMessage]:
    lines = [LocalizedMessage("question.title", {"title": question_set.title})] if question_set.title else []
    params: dict[str, Param] = {"prompt": question_set.questions[index].prompt}
    if len(question_set.questions) == 1:
        return [*lines, LocalizedMessage("question.prompt", params)]
    params |= {"n": index + 1, "total": len(question_set.questions)}
    return [*lines, LocalizedMessage("question.prompt_of_several", params)]


def _kind(question: Question) -> str:
    if not question.options:
        return "free"
    return "several" if question.allow_multiple else "one"


def _mark(question: Question, is_ticked: bool) -> str:
    if not question.allow_multiple:
        return ""
    return "☑ " if is_ticked else "☐ "


_NUMBER = re.compile("(?:#|no|number|option|选项?|第)?([0-9]{1,2}|[一二三四五六七八九])(?:个|项|号)?")
_SEPARATORS = re.compile(r"[,，、;；&+\s]+|和|与")


def labels_for(question: Question, text: str) -> list[str]:
    """Return the options that a person typed, or wrote the numbers of, instead of pressing them."""
    one = _label_for(question, text)
    parts = [text] if one is not None or not question.allow_multiple else _SEPARATORS.split(text.strip())
    labels = [label for part in parts if (label := _label_for(question, part)) is not None]
    return list(dict.fromkeys(labels)) if len(labels) == len(parts) else []


def _label_for(question: Question, text: str) -> str | None:
    typed = fold(text)
    for label in question.options:
        if label.casefold() == text.strip().casefold() or (typed and fold(label) == typed):
            return label
    number = _NUMBER.fullmatch(typed)
    # Where the options are numbers, or have some, a number may be meant as such.
    if number is None or any(re.search(r"[\d一二两三四五六七八九十]", label) for label in question.options):
        return None
    position = "一二三四五六七八九".find(number[1]) + 1 or int(number[1])
    return question.options[position - 1] if 0 < position <= len(question.options) else None
