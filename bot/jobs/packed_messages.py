"""Notices as JSON, for jobs that only say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.jobs.ports import Button, Bytes, ListMessage, LocalizedMessage, Param, Seconds, UncutText


def pack_message(notice: LocalizedMessage) -> dict[str, Any]:
    """The JSON form of a notice."""
    return {
        "key": notice.key,
        "params": {name: _pack(value) for name, value in notice.params.items()},
        "buttons": [[b.label, b.action, b.argument, b.url, b.text] for b in notice.buttons],
        "quiet": notice.quiet,
    }


def unpack_message(body: Mapping[str, Any]) -> LocalizedMessage:
    """The notice of a JSON form."""
    params = {name: _unpack(value) for name, value in body["params"].items()}
    buttons = tuple(Button(*fields) for fields in body["buttons"])
    return LocalizedMessage(body["key"], params, buttons, body.get("quiet", False))


def pack_list_message(report: ListMessage) -> dict[str, Any]:
    """The JSON form of a report."""
    heading = pack_message(LocalizedMessage(report.heading.key, report.heading.params, report.buttons))
    return {"heading": heading, "lines": [pack_message(line) for line in report.lines]}


def unpack_list_message(body: Mapping[str, Any]) -> ListMessage:
    """The report of a JSON form."""
    heading = unpack_message(body["heading"])
    return ListMessage(heading, tuple(unpack_message(line) for line in body["lines"]), heading.buttons)


def _pack(value: Param) -> Any:
    match value:
        case Bytes():
            return {"bytes": value.value}
        case Seconds():
            return {"seconds": value.value, "tenths": value.tenths}
        case UncutText():
            return {"whole": value.text}
        case LocalizedMessage():
            return {"notice": pack_message(value)}
        case _:
            return value


def _unpack(value: Any) -> Param:
    match value:
        case {"bytes": size}:
            return Bytes(size)
        case {"seconds": duration_s, "tenths": tenths}:
            return Seconds(duration_s, tenths)
        case {"whole": text}:
            return UncutText(text)
        case {"notice": body}:
            return unpack_message(body)
        case _:
            plain: str | int | float = value
            return plain
