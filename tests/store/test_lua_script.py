import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.jobs.model import JobState
from bot.jobs.queue.fields import JobField
from bot.store.lua_script import LuaScript

SCRIPTS = sorted(file.name.removesuffix(".lua") for file in (files("bot.jobs.queue") / "lua").iterdir())
LIBRARIES = ("album", "asking", "credits", "drafts", "quotas")
_HASH_CALL = re.compile(r"redis\.call\('H\w+', (?:job|old_job|job\.key|job_prefix \.\. id), ([^)]*)")


def text_of(name: str) -> str:
    return (files("bot.jobs.queue") / "lua" / f"{name}.lua").read_text("utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_name_the_fields_of_a_job_as_python_does(name: str) -> None:
    known = {*JobField, *JobState}
    for line in _HASH_CALL.findall(text_of(name)):
        assert set(re.findall(r"'([^']*)'", line)) <= known, line


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in LIBRARIES])
def test_each_script_says_what_it_guarantees_and_who_loses_each_race(name: str) -> None:
    for heading in ("Guarantee", "Races", "KEYS"):
        assert f"\n-- {heading}: " in text_of(name)


def _calls() -> Iterator[tuple[str, set[str], bool]]:
    """Each call of a script: its text, the names of its argument's members, and whether there may be more of them."""
    for path in Path(str(files("bot"))).rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        folder, scripts = path.parent / "lua", dict[str, str]()
        for node in ast.walk(tree):
            match node:
                case ast.Assign(
                    [ast.Attribute(attr=name) | ast.Name(id=name)],
                    ast.Call(ast.Name("LuaScript"), [_, _, *names]),
                ):
                    named = [one.value for one in names if isinstance(one, ast.Constant)]
                    scripts[name] = "\n".join((folder / f"{one!s}.lua").read_text("utf-8") for one in named)
        for node in ast.walk(tree):
            match node:
                case ast.Call(ast.Attribute(attr=name) | ast.Name(id=name), keywords=given) if (
                    name in scripts
                ):
                    members = {one.arg for one in given if one.arg}
                    yield scripts[name], members, len(members) < len(given)


def test_python_gives_each_script_what_it_reads() -> None:
    calls = list(_calls())
    assert len(calls) > 25
    for script, members, has_more in calls:
        read = set(re.findall(r"(?:\bargs|\(ARGV\[1\]\))\.(\w+)", script))
        assert members <= read if has_more else members == read, (script.partition("\n")[0], members ^ read)


async def test_an_argument_arrives_as_it_was_given(redis: Redis) -> None:
    """Prompts in all scripts, and whatever JSON has to escape."""
    await redis.hset("job", "state", "running")
    for text in ('quotes " and \\', "lines\nand tabs\t", "把标题改大 🎬", "\x00\x7f\u2028", ""):
        await LuaScript(redis, "bot.jobs.queue", "save_waiting")(["job"], fields=["checkpoint:x", text])
        assert await redis.hget("job", "checkpoint:x") == text
