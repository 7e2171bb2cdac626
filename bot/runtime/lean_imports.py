"""Import libraries without optional parts that the bot does not use.

They would take a third of the CPU time of all imports: rich, with which structlog formats tracebacks and httpx has a
command line; OpenTelemetry's SDK, to which redis-py reports on request; beartype, with which docket's result library
checks its own types at run time; and all certificates of the system, twice, for aiohttp's TLS contexts, which
`bot.runtime.http` replaces by its own.
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
    """Import aiohttp, httpx, structlog, redis-py and docket.

    Call it before any other module imports them.
    """
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
