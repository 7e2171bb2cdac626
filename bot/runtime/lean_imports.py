"""Import libraries without what they would load beside what the bot uses of them.

A third of the processor time of all imports would go there: into rich, by which structlog draws tracebacks and httpx
has a command of its own; OpenTelemetry's SDK, which redis-py reports to when it is told to; beartype, by which docket's
result library checks its own types at run time; and all certificates of the system, twice, for aiohttp's TLS contexts,
which `bot.runtime.http` replaces by its own.
"""

import importlib
import ssl
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

_LIBRARIES = ("aiohttp", "httpx", "structlog", "docket")  # and redis-py, which docket imports
_OPTIONAL = ("rich", "pygments", "opentelemetry.sdk.metrics")


def import_lean() -> None:
    """Import aiohttp, httpx, structlog, redis-py and docket; the first module that does decides what they found."""
    hidden: dict[str, Any] = {**dict.fromkeys(_OPTIONAL), **_no_type_checks()}
    hidden = {name: module for name, module in hidden.items() if name not in sys.modules}
    sys.modules.update(hidden)
    ssl.SSLContext.set_default_verify_paths = _ignore  # type: ignore[method-assign]
    try:
        for library in _LIBRARIES:
            importlib.import_module(library)
    finally:
        del ssl.SSLContext.set_default_verify_paths  # It hid the one of the base class.
        for name in hidden:
            del sys.modules[name]


def _no_type_checks() -> dict[str, ModuleType]:
    """Beartype, as far as the library needs it, whose decorators leave functions as they are."""
    beartype, claw = ModuleType("beartype"), ModuleType("beartype.claw")
    vars(beartype).update(
        BeartypeConf=_ignore, BeartypeStrategy=SimpleNamespace(O0=None, O1=None), beartype=_unchecked
    )
    vars(claw).update(beartype_this_package=_ignore)
    return {"beartype": beartype, "beartype.claw": claw}


def _ignore(*_: object, **_named: object) -> None:
    pass


def _unchecked(**_: object) -> Callable[[Any], Any]:
    return lambda function: function
