"""Questions of the agent: a turn may end with one, and nothing is finished until a person has answered.

NemoVideo's agent asks by a tool call ``ask_question``; ADK itself asks for a confirmation of a tool by a call
``adk_request_confirmation``. The answer to both is an ordinary message.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.nemo import read

ASK_QUESTION = "ask_question"
CONFIRMATION = "adk_request_confirmation"

MAX_QUESTIONS = 10
MAX_OPTIONS = 20
MAX_PROMPT_CHARS = 1000
MAX_LABEL_CHARS = 200

_HINT_FOR_CODE = re.compile("FunctionResponse|ToolConfirmation")
"""ADK's own hint, for tools that give none: it tells a program what to send, and a person nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Args:
        prompt: What is asked.
        options: Labels of the answers to choose from; none where any answer will do.
        allow_multiple: Whether several may be chosen.
        is_confirmation: Whether it is to be answered with yes or no; then the prompt may be empty.
        tool: The tool that a confirmation is about; empty if unknown.
    """

    prompt: str
    options: tuple[str, ...] = ()
    allow_multiple: bool = False
    is_confirmation: bool = False
    tool: str = ""

    def completes(self, earlier: "Question") -> bool:
        """Whether this is the same question as an earlier one, which may have been unfinished."""
        return not earlier.is_confirmation and self.prompt.startswith(earlier.prompt)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """What the agent asks at the end of a turn.

    Args:
        questions: In the agent's order; at least one.
        title: A heading; may be empty.
    """

    questions: tuple[Question, ...]
    title: str = ""

    def joined(self, later: "QuestionSet") -> "QuestionSet":
        """Return these questions with those of a later event of the same turn.

        The same call may come in several events and forms, and its first ones with unfinished texts.
        """
        whole = [
            next((other for other in later.questions if other.completes(one)), one) for one in self.questions
        ]
        questions = tuple(dict.fromkeys((*whole, *later.questions)))
        return QuestionSet(questions[:MAX_QUESTIONS], later.title or self.title)


def read_tool_question(name: str, args: Mapping[str, Any]) -> QuestionSet | None:
    """Return the question that a tool call asks; ``None`` for any other tool."""
    if name == ASK_QUESTION:
        return read_questions(args)
    if name == CONFIRMATION:
        return _confirmation(args)
    return None


def read_questions(source: Mapping[str, Any]) -> QuestionSet | None:
    """Read questions from the arguments of ``ask_question``, or from an event of that type."""
    found = tuple(_questions(read.items(source.get("questions")) or [source]))
    title = read.text(source.get("title")) or ""
    return QuestionSet(found, title[:MAX_LABEL_CHARS]) if found else None


def answer_text(questions: Sequence[Question], answers: Sequence[Sequence[str]]) -> str:
    """Return the message that answers, one line a question: ``1. <prompt>: <label>``.

    Args:
        questions: What was asked.
        answers: The chosen labels, or words of the person's own, for each question.
    """
    return "\n".join(
        " ".join(f"{number}. {question.prompt}: {', '.join(answer)}".split())
        for number, (question, answer) in enumerate(zip(questions, answers, strict=True), 1)
    )


def _questions(items: Iterable[Any]) -> Iterable[Question]:
    for item in list(items)[:MAX_QUESTIONS]:
        source = read.mapping(item)
        prompt = read.text_at(source, "prompt", "question", "text", "label")
        if not prompt:
            continue
        options = [label for option in read.items(source.get("options")) if (label := _label(option))]
        multiple = read.first_of(source, ("allow_multiple", "allowMultiple", "multiple"))
        yield Question(prompt[:MAX_PROMPT_CHARS], tuple(options[:MAX_OPTIONS]), multiple is True)


def _label(option: Any) -> str:
    label = read.text(option) or read.text_at(read.mapping(option), "label", "text", "title", "id")
    return (label or "")[:MAX_LABEL_CHARS]


def _confirmation(args: Mapping[str, Any]) -> QuestionSet:
    confirmation = read.mapping(read.first_of(args, ("toolConfirmation", "tool_confirmation")))
    hint = read.text(confirmation.get("hint")) or read.text(args.get("hint")) or ""
    if _HINT_FOR_CODE.search(hint):
        hint = ""
    call = read.mapping(read.first_of(args, ("originalFunctionCall", "original_function_call")))
    tool = read.text(call.get("name")) or ""
    return QuestionSet(
        (Question(hint[:MAX_PROMPT_CHARS], is_confirmation=True, tool=tool[:MAX_LABEL_CHARS]),)
    )
