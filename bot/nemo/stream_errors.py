"""Errors within the agent's stream, read from every form that they are known to come in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.nemo import lenient_json as read
from bot.nemo.errors import Call, ServiceError, code_of, error_for, error_of, message_of
from bot.nemo.failures import is_normal_end

_TEXT_BEHIND_CODE = re.compile(r"(?<=[A-Z_])\s*:.*", re.DOTALL)
_BAD_END = re.compile(
    "SAFETY|BLOCK|PROHIBIT|RECITATION|SPII|LANGUAGE|OTHER|FILTER|REFUS|MALFORMED|UNEXPECTED|NO_IMAGE|TOO_MANY|MISSING"
    "|ERROR|FAIL|CANCEL|TIMEOUT|INTERRUPT|CREDIT|QUOTA|LIMITED|ABORT|DENIED|REJECT|INSUFFICIENT|UNAVAILABLE|OVERLOAD"
    "|EXHAUST|^(?!.*(?:TOKEN|LENGTH)).*EXCEED",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StreamError:
    """The turn failed, or a part of it.

    Args:
        code: The service's numeric code, if there is one.
        message: The service's message, bounded and without tokens.
        reason: A code that is a word, such as ``SAFETY``.
    """

    code: int | None
    message: str
    reason: str | None = None

    def as_error(self, call: Call) -> ServiceError:
        """Return the exception that the same code raises outside of a stream."""
        return error_for(call, status=None, code=self.code, message=self.message or self.reason or "")


def parse_error(payload: Mapping[str, Any], *, is_error: bool = False) -> StreamError | None:
    """Return the error that an event reports; ``None`` if it reports none, or only that a turn has ended.

    Args:
        payload: The event.
        is_error: Whether its type says that it is one.
    """
    code = code_of(payload)
    detail = read.text(payload.get("detail"))
    if code is None and detail and "not found" in detail.lower():
        code = 404
    names = ("errorCode", "error_code", *(("code",) if read.text(payload.get("message")) else ()))
    reason = read.text(read.first_of(payload, names))
    finish_reason = reason or _finish_reason(payload)
    error = error_of(payload)
    if code is None and ((is_normal_end(finish_reason) and not error) or _names_normal_end(error)):
        return None  # The errorMessage beside it only explains the finish.
    if _is_empty(payload.get("content")):
        reason = finish_reason
    words = read.text(error)
    has_error = (words and not is_normal_end(words)) or any(read.mapping(error).values()) or error is True
    status = read.text_at(payload, "status", "state") or ""
    failed = str(payload.get("success")).lower() == "false" or status.lower() in (
        "error",
        "failed",
        "failure",
    )
    failed = failed or bool(payload.get("exception") or read.items(payload.get("detail")))
    message = read.text(read.first_of(payload, ("errorMessage", "error_message")))
    if code is not None or read.integer(reason) is not None:
        reason = None
    if not (is_error or code or reason or has_error or detail or failed or message):
        return None
    return StreamError(code, message_of(payload), reason)


def _names_normal_end(error: Any) -> bool:
    """Return whether what stands in the place of an error is the code of a normal finish, perhaps before a text."""
    source = read.mapping(error)
    code = read.text_at(source, "code", "errorCode", "error_code", "reason", "status", "type")
    if code is None and not source:
        code = _TEXT_BEHIND_CODE.sub("", read.text(error) or "")
    return bool(code) and is_normal_end(code)


def _is_empty(content: Any) -> bool:
    """Return whether a content holds nothing but thoughts and empty parts."""
    parts = [read.mapping(part) for part in parts_of(read.mapping(content).get("parts"))]
    is_wordless = not any(any(part.values()) and not is_thought(part) for part in parts)
    return not content or (isinstance(content, dict) and not content.get("text") and is_wordless)


def _finish_reason(payload: Mapping[str, Any]) -> str | None:
    if payload.get("interrupted") is True:
        return "INTERRUPTED"
    refused = read.mapping(read.first_of(payload, ("promptFeedback", "prompt_feedback")))
    reason = read.text_at(payload, "finishReason", "finish_reason")
    has_message = read.text_at(payload, "errorMessage", "error_message") is not None
    if reason and not has_message and not _BAD_END.search(reason):
        return "STOP"  # Every model has words of its own for a normal end.
    return reason or read.text_at(refused, "blockReason", "block_reason")


def is_thought(source: Mapping[str, Any]) -> bool:
    """Return whether a part or an event is the agent's reasoning."""
    return str(source.get("thought")).lower() == "true"


def parts_of(value: Any) -> list[Any]:
    """Return the parts of a content; a single one may stand for all."""
    if isinstance(value, str) or (isinstance(value, dict) and "text" in value):
        return [value]
    return read.items(value)
