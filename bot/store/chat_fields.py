"""Fields of a chat's hash in Redis. There may be a million chats, so names are short, and what can be is packed."""

import base64
import re
from datetime import datetime
from typing import Any
from uuid import UUID

SHORT_NAMES = {
    "account": "a",
    "account_epoch": "e",
    "answer_job_id": "aj",
    "answer_session_id": "as",
    "auto_export": "ax",
    "caption_job_id": "cj",
    "claim_expires_at": "cx",
    "claim_session_id": "cs",
    "claim_token": "ct",
    "client_id": "c",
    "export_refused_at": "xr",
    "greeted": "g",
    "kept_prompt": "kp",
    "kept_prompt_until": "ku",
    "language": "l",
    "last_only_job_id": "lo",
    "lost_session_id": "ls",
    "members_may_change": "m",
    "own_token": "o",
    "project_epoch": "p",
    "replace_results": "rr",
    "result_chat_id": "rc",
    "result_in_use": "ru",
    "result_message_id": "rm",
    "result_session_id": "rs",
    "send_as_file": "f",
    "session_id": "s",
    "shrink_results": "sr",
    "skill": "k",
    "takes_name": "tn",
    "task_id": "i",
    "token": "t",
    "token_expires_at": "x",
    "user_id": "u",
}
"""By the names of `chats.ChatFields`. A field without one is stored under its own."""

LONG_NAMES = {short: name for name, short in SHORT_NAMES.items()}

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PACKED_UUID = re.compile(r"~[A-Za-z0-9_-]{22}")


def to_stored(value: Any) -> str:
    """Return a field's value as it is stored: times in seconds, flags as digits, UUIDs packed."""
    match value:
        case bool():
            return str(int(value))
        case datetime():
            return str(int(value.timestamp()))
    text = str(value)
    if _UUID.fullmatch(text):
        return "~" + base64.urlsafe_b64encode(UUID(text).bytes).decode().rstrip("=")
    return "~" + text if text.startswith("~") else text


def from_stored(fields: dict[str, str]) -> dict[str, Any]:
    """Return a hash with whole names and UUIDs; the rest is for the model to read."""
    return {LONG_NAMES.get(name, name): _text_of(value) for name, value in fields.items()}


def _text_of(stored: str) -> str:
    if _PACKED_UUID.fullmatch(stored):
        return str(UUID(bytes=base64.urlsafe_b64decode(f"{stored[1:]}==")))
    return stored.removeprefix("~")
