"""Notices as JSON, for jobs that only say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.jobs.ports import Button, Bytes, Notice, Param, Report, Seconds, Whole


def pack_notice(notice: Notice) -> dict[str, Any]:
    """The JSON form of a notice."""
    return {
        "key": notice.key,
        "params": {name: _pack(value) for name, value in notice.params.items()},
        "buttons": [[b.label, b.action, b.argument, b.url, b.text] for b in notice.buttons],
        "quiet": notice.quiet,
    }


def unpack_notice(body: Mapping[str, Any]) -> Notice:
    """The notice of a JSON form."""
    params = {name: _unpack(value) for name, value in body["params"].items()}
    buttons = tuple(Button(*fields) for fields in body["buttons"])
    return Notice(body["key"], params, buttons, body.get("quiet", False))


def pack_report(report: Report) -> dict[str, Any]:
    """The JSON form of a report."""
    heading = pack_notice(Notice(report.heading.key, report.heading.params, report.buttons))
    return {"heading": heading, "lines": [pack_notice(line) for line in report.lines]}


def unpack_report(body: Mapping[str, Any]) -> Report:
    """The report of a JSON form."""
    heading = unpack_notice(body["heading"])
    return Report(heading, tuple(unpack_notice(line) for line in body["lines"]), heading.buttons)


def _pack(value: Param) -> Any:
    match value:
        case Bytes():
            return {"bytes": value.value}
        case Seconds():
            return {"seconds": value.value, "tenths": value.tenths}
        case Whole():
            return {"whole": value.text}
        case Notice():
            return {"notice": pack_notice(value)}
        case _:
            return value


def _unpack(value: Any) -> Param:
    match value:
        case {"bytes": size}:
            return Bytes(size)
        case {"seconds": duration_s, "tenths": tenths}:
            return Seconds(duration_s, tenths)
        case {"whole": text}:
            return Whole(text)
        case {"notice": body}:
            return unpack_notice(body)
        case _:
            plain: str | int | float = value
            return plain
