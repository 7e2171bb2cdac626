"""What became of a tool of the agent, by its result: each tool has a form of its own.

The words that are looked for only name what is known. A state in other words counts as neither success nor as work that
goes on.
"""

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any

from bot.nemo import lenient_json as read
from bot.nemo.failures import is_normal_end


class Outcome(IntEnum):
    """What became of a tool; of several signs the lowest counts."""

    FAILED = 0
    PENDING = 1  # its work has begun, and the rest may outlast the turn
    UNKNOWN = 2
    DONE = 3


_FAILED = (
    r"\bfail|\berror|exception|traceback|cancel|abort|reject|refus|denied|invalid|expired|time[d_ ]{0,2}out|forbidden"
    r"|unavailable|unable|(?:can|could|did|does|do)(?: ?not|n['’]t)\b|not (?:possible|allowed|supported)"
    r"|失败|错误|出错|异常|无法|取消|超时|拒绝|不支持"
)
_PENDING = (
    r"pending|queue|submi|accepted|schedul|start|running|processing|progress|generating|rendering|working|waiting"
    r"|will (?:be|take)|not[ _-]ready|\b\d?\d%"
    r"|排队|提交|处理中|生成中|进行中|制作中|等待|稍后|稍候|正在|已开始|准备中"
)
_DONE = r"ok|processed|succe|complet|done|finish|ready|passed|generated|created|true|完成|成功|结束|就绪"

_STATES = tuple(
    (re.compile(words, re.IGNORECASE), outcome)
    for words, outcome in (
        (_FAILED, Outcome.FAILED),
        (_PENDING, Outcome.PENDING),
        (_DONE, Outcome.DONE),
    )
)
_WORK_STATES = (
    _STATES[0],
    (
        re.compile(
            rf"{_PENDING}|process(?!ed)|generat(?!ed)|created|active|init|new$|wait|in.?flight", re.IGNORECASE
        ),
        Outcome.PENDING,
    ),
    _STATES[2],
)
"""Of a tool that makes something, or of a task; a project of another may be "active" or "created" for good."""
_PROSE = tuple(
    (re.compile(words, re.IGNORECASE), outcome)
    for words, outcome in (
        (r"^\W*(?:error|fail|exception|traceback)", Outcome.FAILED),
        (r"\b(?:no|without|0) (?:error|fail)\w*", Outcome.DONE),
        (_FAILED, Outcome.FAILED),
        (_PENDING, Outcome.PENDING),
    )
)
_IS_STATE = re.compile(r"(?:^|_)(?:status|state|phase)$|状态$")
_SAYS_WELL = re.compile(r"(?:^|_)(?:success|successful|succeeded|ok)$")
_IS_ERROR = re.compile(
    r"(?:^|_)(?:errors?|exceptions?|errmsg|err_msg|failure|failed)(?:$|_(?:message|msg|type|reason|code)$)"
)
_URL = re.compile(r"https?://\S+")
_IS_ID = re.compile(r"(?:^|_)(?:id|ids)$")
_NAMES_TASK = re.compile(r"(?:^|_)(?:task|job|generation|gen|request|operation|prediction)_ids?$")
_IS_TASK_ID = re.compile(rf"^ids?$|{_NAMES_TASK.pattern}")
_NO_ERROR = frozenset({"0", "200", "false", "no"})
_WRAPPERS = (
    "result",
    "results",
    "output",
    "outputs",
    "data",
    "response",
    "content",
    "structured_content",
    "task",
    "job",
    "text",
    "message",
)
_WORDS = ("message", "msg", "text", "detail", "content", "result", "output", "response", "data")
_MAX_WRAPPERS = 4
_MAX_WORDS_CHARS = 400


def outcome_of(result: object, *, has_prose: bool = True, depth: int = _MAX_WRAPPERS) -> Outcome:
    """Return what became of a tool.

    Args:
        result: Its result, in whatever form.
        has_prose: Whether sentences count too; a tool that returns texts may return any words.
        depth: How many more wrappers there may be around what counts.
    """
    if isinstance(result, str) and (parsed := _parsed(result)) is not None:
        result = parsed
    if isinstance(result, str):
        return _by_words(_PROSE, result) if has_prose else _of_one_word(result)
    if isinstance(result, bool):
        return Outcome.DONE if result else Outcome.FAILED
    if isinstance(result, list):
        found = [outcome_of(one, has_prose=has_prose, depth=depth - 1) for one in result] if depth else []
        # One of several that goes on, or is there, counts more than one that failed.
        order = (Outcome.PENDING, Outcome.DONE, Outcome.UNKNOWN)
        return next((one for one in order if one in found), Outcome.FAILED if found else Outcome.DONE)
    source = read.snake_keys(read.mapping(result))
    return min(_signs(source, has_prose=has_prose, depth=depth), default=Outcome.DONE)


def tells_state(result: object, depth: int = _MAX_WRAPPERS) -> bool:
    """Return whether a tool's result is words, or has a state in it: an error alone may be of the tool itself."""
    source = read.snake_keys(read.mapping(result))
    if isinstance(result, str) and not source:
        return True
    inner = (source[key] for key in _WRAPPERS if isinstance(source.get(key), dict))
    return any(map(_IS_STATE.search, source)) or (
        depth > 0 and any(tells_state(one, depth - 1) for one in inner)
    )


def _signs(source: Mapping[str, Any], *, has_prose: bool, depth: int) -> Iterable[Outcome]:
    states = [value for key, value in source.items() if _IS_STATE.search(key)]
    is_work = has_prose or any(map(_NAMES_TASK.search, source))
    yield from (_of_state(one, is_work=is_work, depth=depth) for one in states)
    for key, value in source.items():
        is_refusal = _SAYS_WELL.search(key) and str(value).lower() == "false"
        if is_refusal or (_IS_ERROR.search(key) and _is_error(value)):
            yield Outcome.FAILED
    if has_prose:
        words = (source.get(key) for key in _WORDS)
        yield from (_by_words(_PROSE, one) for one in words if isinstance(one, str) and _parsed(one) is None)
    inner = (source[key] for key in _WRAPPERS if key in source)
    for one in inner if depth else ():
        if isinstance(one, dict | list) or (
            isinstance(one, str) and (not has_prose or _parsed(one) is not None)
        ):
            yield outcome_of(one, has_prose=has_prose, depth=depth - 1)
    progress = read.number(source.get("progress"))
    if progress is not None and 0 <= progress < 100 and progress != 1 and not states:  # 1 may be all of it.
        yield Outcome.PENDING
    others = [
        key for key, value in source.items() if value and not _SAYS_WELL.search(key) and key not in _WORDS
    ]
    # A tool of another kind may name what it has found or saved.
    is_id = _IS_ID if has_prose else _IS_TASK_ID
    if others and not states and all(map(is_id.search, others)):
        yield Outcome.PENDING  # What is there could be shown.


def _of_state(value: Any, *, is_work: bool, depth: int) -> Outcome:
    if isinstance(value, bool):
        return Outcome.DONE if value else Outcome.FAILED
    if isinstance(value, dict):
        return outcome_of(value, has_prose=is_work, depth=depth - 1) if depth else Outcome.DONE
    number = read.integer(value)
    if number is not None:
        is_failed = 400 <= number < 600
        return Outcome.FAILED if is_failed else Outcome.PENDING if number == 202 else Outcome.DONE
    word = read.text(value)
    patterns = _WORK_STATES if is_work else _STATES
    return Outcome.DONE if word is None else _by_words(patterns, word, Outcome.UNKNOWN)


def _of_one_word(text: str) -> Outcome:
    """Return what a result says that is a state and nothing else."""
    word = text.strip(" .…!。！\n")
    return Outcome.DONE if len(word.split()) > 1 or len(word) > 20 else _by_words(_STATES, word)


def _by_words(
    patterns: tuple[tuple[re.Pattern[str], Outcome], ...], said: str, otherwise: Outcome = Outcome.DONE
) -> Outcome:
    said = _URL.sub("", said[:_MAX_WORDS_CHARS])
    return next((outcome for pattern, outcome in patterns if pattern.search(said)), otherwise)


def _is_error(value: Any) -> bool:
    word = str(value).strip().lower() if not isinstance(value, dict | list) else ""
    return bool(value) and word not in _NO_ERROR and not is_normal_end(word)


def _parsed(text: str) -> Any:
    """Return the object or list that a text is; ``None`` for other texts."""
    value = read.parse(text) if text.lstrip().startswith(("{", "[")) else None
    return value if isinstance(value, dict | list) else None
