"""Telegram's refusals.

The descriptions are part of the interface: client libraries and bots tell errors apart by them.
"""

from typing import Any


class ApiError(Exception):
    """A method's refusal, answered as ``{"ok": false, ...}``.

    Args:
        code: HTTP status and ``error_code``.
        description: The whole description, prefix included.
        parameters: ``retry_after`` or ``migrate_to_chat_id``, if Telegram gives them.
    """

    def __init__(self, code: int, description: str, parameters: dict[str, int] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


class DropConnection(Exception):
    """Raised by a fault: close the connection instead of answering."""


def bad_request(words: str) -> ApiError:
    """Return a 400."""
    return ApiError(400, f"Bad Request: {words}")


def forbidden(words: str) -> ApiError:
    """Return a 403."""
    return ApiError(403, f"Forbidden: {words}")


def conflict(words: str) -> ApiError:
    """Return a 409."""
    return ApiError(409, f"Conflict: {words}")


def too_many_requests(retry_after_s: int) -> ApiError:
    """Return a 429 with the seconds to wait."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after_s}", {"retry_after": retry_after_s})


def migrated(new_chat_id: int) -> ApiError:
    """Return the 400 of a basic group that became a supergroup."""
    return ApiError(
        400,
        "Bad Request: group chat was upgraded to a supergroup chat",
        {"migrate_to_chat_id": new_chat_id},
    )


UNAUTHORIZED = (401, "Unauthorized")
NOT_FOUND = (404, "Not Found")
NO_METHOD = (404, "Not Found: method not found")
TOO_LARGE = (413, "Request Entity Too Large")
