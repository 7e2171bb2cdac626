import inspect
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

import pytest
from redis.crc import key_slot

from bot.store import keys

CHAT = "-1:2"


def names_of_a_chat() -> Iterator[str]:
    """One name from each function that makes a chat's, whatever its other arguments are called."""
    for function_name, function in inspect.getmembers(keys, inspect.isfunction):
        if function_name.startswith("_"):
            continue
        first, *others = inspect.signature(function).parameters.values()
        name = made(function, others)
        if "{" in name and "*" not in name:
            assert first.name in ("chat", "mailbox", "person_id"), (
                function
            )  # whose private chat has the same number
            yield name


def made(function: Callable[..., str], others: list[inspect.Parameter]) -> str:
    return function(CHAT, *(7 if one.annotation is int else "x" for one in others))


NAMES = sorted(names_of_a_chat())


def test_a_chats_keys_share_a_cluster_slot() -> None:
    assert len(NAMES) >= 8
    assert len(set(NAMES)) == len(NAMES)
    assert len({key_slot(name.encode()) for name in NAMES}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_chats_keys_have_the_chat_behind_a_prefix_of_their_own(name: str) -> None:
    prefix = name.partition("{")[0]
    assert prefix.startswith(keys.NAMESPACE)
    assert name.startswith(f"{prefix}{{{CHAT}}}")
    assert [other.partition("{")[0] for other in NAMES].count(prefix) == 1


def test_erasing_a_chat_leaves_some_of_its_keys() -> None:
    assert set(keys.KEPT_WHEN_ERASED) < {name.partition("{")[0] for name in NAMES}


def test_a_chats_pattern_finds_all_of_its_keys_and_no_others() -> None:
    for name in NAMES:
        assert fnmatchcase(name, keys.chat_pattern(CHAT))
        for other in ("-1", "-1:23", "1:2", "-11:2", "2"):
            assert not fnmatchcase(name.replace(CHAT, other), keys.chat_pattern(CHAT))
