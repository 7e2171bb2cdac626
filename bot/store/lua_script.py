"""Lua scripts: each changes several keys of Redis in one step."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis


class LuaScript:
    """A script in a package's ``lua/``; its head says which keys and which argument it takes, and what it guarantees.

    Args:
        redis: Where it runs.
        package: The package, as in ``__package__``.
        name: Name of its file, without suffix.
        libraries: Names of files with functions that it needs.
    """

    def __init__(self, redis: Redis, package: str, name: str, *libraries: str) -> None:
        self._script = redis.register_script("\n".join(_read(package, one) for one in (*libraries, name)))

    async def __call__(self, keys: Sequence[str], **argument: Any) -> Any:
        """Run the script.

        Args:
            keys: In the order that its head names.
            argument: The members of its one JSON object. Leave out what is ``None``: Lua takes JSON's null for true.
        """
        return await self._script(keys=list(keys), args=[json.dumps(argument, ensure_ascii=False)])


@cache
def _read(package: str, name: str) -> str:
    return (files(package) / "lua" / f"{name}.lua").read_text("utf-8")
