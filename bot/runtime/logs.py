"""Logging: one line for each event, and a traceback after it where there is one, without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = re.compile(
    # A bot's token; in URLs of its calls and files it follows "bot" directly.
    r"(?P<bot>(?<!\d)\d{5,}(?::|%3A)[\w-]{20,})"
    r"|(?P<nemo>(?:nmv|clm)_[\w-]+)"
    # Up to what may follow in a JSON line, which must stay valid.
    r"|(?P<bearer>(?<=bearer )[^\s\"'\\,}]+)"
    # A password may contain anything unquoted: up to the last @ of the URL.
    r"|(?P<password>(?<=://)[^/\s@\"]*:[^\s\"]+(?=@))",
    re.IGNORECASE,
)

# Controls that move a terminal's cursor or change its title, and marks that reverse text. Line ends of tracebacks stay.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")

_NOISY = ("httpx", "httpcore", "aiohttp", "telegram", "docket", "uvicorn", "asyncio")


def redact(text: str) -> str:
    """Return the text with everything that looks like a token or password replaced."""
    return _SECRETS.sub("***", text)


def configure_logging(level: str, form: str) -> None:
    """Set up logging for the whole process.

    Args:
        level: The lowest level of the bot's own events. Libraries log from WARNING on: httpx logs whole URLs at INFO,
            and with them the bot's token.
        form: ``text`` or ``json``.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_controls,
                renderer,
                _redact_rendered,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))


def _without_controls(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what a terminal would act on, before the renderer adds its own colors."""
    return {key: _plain(value) for key, value in event.items()}


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | float() | None:
            return value
        case dict():
            return {str(key): _plain(part) for key, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(part) for part in value]
    return _CONTROLS.sub("\ufffd", str(value))


def _redact_rendered(_: Any, __: str, line: str | MutableMapping[str, Any]) -> str:
    return redact(str(line))
