"""Questions of the agent: a turn may end with one, and nothing is finished until a person has answered.

NemoVideo's agent asks by a tool call ``ask_question``; ADK itself asks for a confirmation of a tool by a call
``adk_request_confirmation``, or a long-running one with a hint, and for a login elsewhere by one
``adk_request_credential``. The answer to each is an ordinary message.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.nemo import lenient_json as read

CONFIRMATION = "adk_request_confirmation"
LOGIN = "adk_request_credential"

_ASKS_AS_EVENT = re.compile(
    r"(?:^|[^a-z])ask_(?:the_)?(?:user|human|person|question|clarif)|request_(?:user_)?input|clarif"
    r"|(?:^|[^a-z])questions?$|(?:confirm\w*|approv\w*|permission|input)_(?:request|required|needed)"
    r"|(?:request|require|need)s?_(?:confirm|approv|permission)|^interrupt$|elicit"
)
"""Found in the types of events that ask a person, in snake case: what they hold decides whether they do."""

_PERSON = r"(?:user|human|person|customer)s?"
_ASKS = re.compile(
    rf"{_ASKS_AS_EVENT.pattern}|^ask$|(?:await|wait_for|prompt|consult)_(?:the_)?{_PERSON}"
    rf"|(?:confirm|check|verify|consult|clarify)\w*_with_(?:the_)?{_PERSON}|human_in_the_loop"
    rf"|(?:^|_){_PERSON}_(?:input|choice|reply|response|answer|confirm|approv|select|feedback|decision)"
    rf"|(?:input|choice|reply|response|answer|confirmation|approval|feedback|decision)_from_(?:the_)?{_PERSON}"
    r"|(?:choose|select|pick|present|offer|show)_(?:an_|one_|from_)?(?:option|choice)"
    r"|(?:request|get|await|wait_for)_(?:confirmation|approval|choice|selection|feedback|decision|permission|consent)"
    r"(?:$|_from)"
)
"""Found in the names of such tools."""
_BEGINS_TO_ASK = re.compile(
    r"(?:^|[^a-z_])(?:ask|request|get|await|wait|prompt|consult|confirm|check|verify|choose|select|pick)_"
)
_WAITS_FOR_NOBODY = re.compile(
    r"(?:.*(?:__|\.))?(?:(?:answer|add|insert|list|search|find)_"
    r"|(?!\w*clarif)(?:suggest|recommend|relat|follow_?up|next|sample|example|generat)[a-z]*_(?:\w+_)?questions$)"
)
"""Begins the names of tools that take a question in, or offer questions that a person may ask."""
_CONFIRMS = re.compile(r"confirm|approv|permission|consent")
_MAKES = re.compile(r"generat|creat|render|make|edit|export|upload|video|music|audio|image")
"""Tools whose options are settings."""
_ANSWERS = re.compile(
    r"(?:^|_)(?:answers?|chosen|choice|selected|selection|picked|reply|user_response|user_input)"
    r"(?:_(?:options?|choices?|labels?|values?|ids?|items?|index|texts?))?$"
)
_NO_ANSWER = re.compile(
    r"\W*(?:(?:pending|await|waiting|(?:i have |i've )?(?:asked|sent to) the|等待|已向).*|none|null|unanswered)\W*",
    re.IGNORECASE | re.DOTALL,
)

_PROMPTS = ("prompt", "question", "text", "message", "label")
_HEADINGS = ("header", "title", "name", "description", "summary", "hint", "instructions", "reason", "details")
_OPTIONS = ("options", "choices", "answers", "suggestions")
_BY_WORDS = (
    ("questions", ("questions", "question"), re.compile(r"question|^(?:items|fields)$|问题")),
    ("options", _OPTIONS, re.compile(r"option|choice|answer|selection|suggestion|button|enum|选项")),
    (
        "prompt",
        _PROMPTS,
        re.compile(r"(?:question|prompt|query|message|body|问题)(?:_?(?:text|content|prompt|label))?$|^ask$"),
    ),
)
_LABELS = ("label", "text", "title", "name", "value", "content", "answer", "description", "id")
_MULTIPLE = ("allow_multiple", "allowMultiple", "multiple", "multi_select", "multiSelect")
_WRAPPERS = (
    "args",
    "arguments",
    "input",
    "data",
    "content",
    "payload",
    "request",
    "params",
    "question",
    "value",
    "ask",
    "form",
)

MAX_QUESTIONS = 10
MAX_OPTIONS = 20
MAX_PROMPT_CHARS = 1000
MAX_LABEL_CHARS = 200
_MAX_WRAPPERS = 3

NO_WORDS = "…"
"""What stands for the words of a question that has nothing but options."""

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
        login_url: Where a person is to log in, if that is what is asked for; empty if the agent doesn't say where.
    """

    prompt: str
    options: tuple[str, ...] = ()
    allow_multiple: bool = False
    is_confirmation: bool = False
    tool: str = ""
    login_url: str | None = None

    def completes(self, earlier: "Question") -> bool:
        """Return whether this is the same question as an earlier one, which may have been unfinished."""
        if self.login_url is not None or earlier.login_url is not None:
            return self.login_url is not None and earlier.login_url in ("", self.login_url)
        if earlier.is_confirmation:
            is_same_tool = earlier.tool in ("", self.tool)
            return self.is_confirmation and self.prompt == earlier.prompt and is_same_tool
        return self.prompt.startswith(earlier.prompt)


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
        new = [one for one in later.questions if not any(other.completes(one) for other in whole)]
        questions = tuple(dict.fromkeys((*whole, *new)))
        return QuestionSet(questions[:MAX_QUESTIONS], later.title or self.title)


def asks(name: str) -> bool:
    """Return whether a tool may be a question, by its name."""
    snake = read.in_snake_case(name)
    return _ASKS.search(snake) is not None and not _WAITS_FOR_NOBODY.match(snake)


def asks_as_event(kind: str) -> bool:
    """Return whether an event may be a question, by its type; one of another name may be the person's own words."""
    return asks(kind) and _ASKS_AS_EVENT.search(read.in_snake_case(kind)) is not None


def holds_choices(source: Mapping[str, Any]) -> bool:
    """Return whether there are questions, or things to choose from, in arguments or an event."""
    inner = (read.mapping(source.get(name)) for name in _WRAPPERS)
    return any(
        _items(one.get("questions")) or _items(read.first_of(one, _OPTIONS)) for one in (source, *inner)
    )


def read_tool_question(
    name: str, args: Mapping[str, Any], *, is_long_running: bool = False
) -> QuestionSet | None:
    """Return the question that a tool call asks; ``None`` for any other tool.

    Args:
        name: The tool's name.
        args: Its arguments.
        is_long_running: Whether the tool's result comes later, in another message.
    """
    if name == LOGIN:
        return read_logins({"": args})
    if name == CONFIRMATION:
        return QuestionSet((_confirmation_question(args),))
    snake = read.in_snake_case(name)
    lists = (args.get("questions"), read.first_of(args, _OPTIONS))
    # Whatever its name: a long-running tool that has something to choose from waits for a person.
    chooses = is_long_running and not _MAKES.search(snake) and any(isinstance(one, list) for one in lists)
    may_ask = asks_as_event(name) or chooses
    if not may_ask and asks(name):
        # Others of these names take a person's words in.
        may_ask = is_long_running or holds_choices(args) or _BEGINS_TO_ASK.search(snake) is not None
    if may_ask and (asked := read_questions(args)) is not None:
        is_bare = len(asked.questions) == 1 and not asked.questions[0].options
        if _CONFIRMS.search(snake) and is_bare:
            return QuestionSet((Question(asked.questions[0].prompt, is_confirmation=True),), asked.title)
        return asked
    if is_long_running and (read.text(args.get("hint")) or (may_ask and _CONFIRMS.search(snake))):
        return QuestionSet((_confirmation_question(args),))
    return None


def read_open_question(name: str, result: Mapping[str, Any]) -> QuestionSet | None:
    """Return the question that a tool's result asks; ``None`` if it asks none, or has its answer already."""
    if not asks(name) or has_answer(result) or not holds_choices(result):
        return None
    return read_questions(result)


def has_answer(result: object, depth: int = _MAX_WRAPPERS) -> bool:
    """Return whether the result of a tool that asks holds an answer: then nobody else is to give it.

    Args:
        result: The result.
        depth: How many more wrappers there may be around the answer.
    """
    source = read.snake_keys(read.mapping(result))
    inner = (source.get(name) for name in ("result", "response", "output", "data"))
    answers = [value for key, value in source.items() if _ANSWERS.search(key)]
    words = (read.text(one) for one in answers)
    is_listed = any(isinstance(one, list | dict) and one for one in answers)
    if is_listed or any(one is not None and not _NO_ANSWER.fullmatch(one) for one in words):
        return True
    return depth > 0 and any(has_answer(one, depth - 1) for one in inner if read.mapping(one))


def read_confirmations(requested: Mapping[str, Any]) -> QuestionSet | None:
    """Read ``requestedToolConfirmations`` of an ADK event, by the id of each call."""
    found = tuple(_confirmation_question({"toolConfirmation": one}) for one in requested.values())
    return QuestionSet(tuple(dict.fromkeys(found))[:MAX_QUESTIONS]) if found else None


def read_logins(requested: Mapping[str, Any]) -> QuestionSet | None:
    """Read ``requestedAuthConfigs`` of an ADK event, by the id of each call."""
    found = tuple(dict.fromkeys(Question("", login_url=_login_url(one)) for one in requested.values()))
    return QuestionSet(found[:MAX_QUESTIONS]) if found else None


def _login_url(value: Any) -> str:
    config = read.mapping(value)
    config = read.mapping(read.first_of(config, ("authConfig", "auth_config"))) or config
    names = (
        "exchangedAuthCredential",
        "exchanged_auth_credential",
        "rawAuthCredential",
        "raw_auth_credential",
    )
    for credential in (read.mapping(config.get(name)) for name in names):
        if url := read.text_at(read.mapping(credential.get("oauth2")), "authUri", "auth_uri"):
            return url
    return ""


def read_questions(source: Mapping[str, Any], depth: int = _MAX_WRAPPERS) -> QuestionSet | None:
    """Read questions from the arguments of ``ask_question``, or from an event of that type.

    Args:
        source: The arguments or the event.
        depth: How many more wrappers there may be around them.
    """
    source = _with_usual_keys(read.with_lower_keys(source))
    title = read.text(source.get("title")) or ""
    found = tuple(_questions(_items(source.get("questions")), title))
    inner = (read.mapping(source.get(name)) for name in _WRAPPERS if depth and not found)
    asked = (read_questions(one, depth - 1) for one in inner if one)
    if (wrapped := next((one for one in asked if one is not None), None)) is not None:
        return wrapped
    found = found or tuple(_questions([source]))
    is_asked = any(question.prompt == title for question in found)
    return QuestionSet(found, "" if is_asked else title[:MAX_LABEL_CHARS]) if found else None


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


def _questions(items: Iterable[Any], title: str = "") -> Iterable[Question]:
    """Read questions; one without words of its own that has options asks what the title does."""
    for item in list(items)[:MAX_QUESTIONS]:
        source = {"prompt": item} if isinstance(item, str) else _with_usual_keys(read.mapping(item))
        options = [label for one in _choices(read.first_of(source, _OPTIONS)) if (label := _label(one))]
        prompt = read.text_at(source, *_PROMPTS)
        if not prompt and options:
            prompt = read.text_at(source, *_HEADINGS) or title or NO_WORDS
        if not prompt:
            continue
        multiple = read.first_of(source, _MULTIPLE)
        is_multiple = (
            str(multiple).lower() == "true" or "multi" in (read.text(source.get("type")) or "").lower()
        )
        yield Question(prompt[:MAX_PROMPT_CHARS], tuple(options[:MAX_OPTIONS]), is_multiple)


def _with_usual_keys(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an object with what it asks under the usual keys too, where its own only contain such words."""
    usual = dict(source)
    for name, known, words in _BY_WORDS:
        if read.first_of(source, known) is None:
            is_text = name == "prompt"
            found = (
                value
                for key, value in source.items()
                if words.search(read.in_snake_case(key)) and value and isinstance(value, str) == is_text
            )
            value = next((one for one in found if isinstance(one, str | list | dict)), None)
            if value is not None:
                usual[name] = value
    return usual


def _items(value: Any) -> list[Any]:
    """Return a list, also one given as a JSON string."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        value = read.parse(value)
    return read.items(value)


def _choices(value: Any) -> list[Any]:
    """Return what there is to choose from, also given as words with a sign between them."""
    if isinstance(value, str) and not value.lstrip().startswith(("[", "{")):
        parts = re.split(r"\s*[\n|;；、]\s*|,\s+|，", value.strip())
        return parts if len(parts) > 1 else []
    return _items(value)


def _label(option: Any) -> str:
    if isinstance(option, float):
        option = str(option)
    return (read.text(option) or read.text_at(read.mapping(option), *_LABELS) or "")[:MAX_LABEL_CHARS]


def _confirmation_question(args: Mapping[str, Any]) -> Question:
    confirmation = read.mapping(read.first_of(args, ("toolConfirmation", "tool_confirmation")))
    hint = read.text(confirmation.get("hint")) or read.text(args.get("hint")) or ""
    if _HINT_FOR_CODE.search(hint):
        hint = ""
    call = read.mapping(read.first_of(args, ("originalFunctionCall", "original_function_call")))
    tool = read.text(call.get("name")) or ""
    return Question(hint[:MAX_PROMPT_CHARS], is_confirmation=True, tool=tool[:MAX_LABEL_CHARS])
