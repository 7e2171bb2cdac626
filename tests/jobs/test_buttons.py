from dataclasses import fields
from enum import StrEnum
from typing import get_type_hints

import pytest

from bot.jobs.buttons import ACTIONS, ButtonAction, Cancel, RemoveExtra, Setting, SwitchSetting, pack, unpack


def _value_of(kind: type) -> object:
    if issubclass(kind, StrEnum):
        return next(iter(kind))
    return True if kind is bool else "0123456789abcdef"


@pytest.mark.parametrize("action", ACTIONS.values())
def test_what_a_button_carries_is_read_back(action: type[ButtonAction]) -> None:
    types = get_type_hints(action)
    values = (_value_of(types[field.name]) for field in fields(action))
    made = action(*values)
    assert unpack(pack(made)) == made


@pytest.mark.parametrize(
    ("action", "data"),
    [
        (Cancel("0123456789abcdef"), "1:cancel:0123456789abcdef"),
        (RemoveExtra("music", "0123456789abcdef"), "1:strip:music:0123456789abcdef"),
        (SwitchSetting(on=False, setting=Setting.AUTO_EXPORT), "1:set:0:auto_export"),
    ],
)
def test_what_stands_in_telegram_is_the_same_in_every_release(action: ButtonAction, data: str) -> None:
    assert pack(action) == data


@pytest.mark.parametrize(
    "data",
    [
        None,
        "",
        "1",
        "0:cancel:x",
        "2:cancel:x",
        "1:explode:x",
        ":::",
        "cancel:x",
        "1::",
        "1:cancel:",
        "1:strip:x",
        "1:set:0:x",
    ],
)
def test_what_no_release_has_written_is_nothing(data: str | None) -> None:
    assert unpack(data) is None


def test_an_argument_may_hold_anything_short() -> None:
    assert unpack(pack(Cancel("a:b:c"))) == Cancel("a:b:c")
    with pytest.raises(ValueError, match="too long"):
        pack(Cancel("x" * 64))
