"""Checkpoints that another release saved: unknown fields are ignored, and missing ones have defaults."""

import pkgutil
from importlib import import_module

import pytest

from bot.jobs import steps
from bot.jobs.checkpoints import Checkpoint
from tests.jobs.conftest import Noted

for _module in pkgutil.iter_modules(steps.__path__):
    import_module(f"{steps.__name__}.{_module.name}")

ALL = [
    cls for cls in Checkpoint.__subclasses__() if cls is not Noted and cls.__module__.startswith("bot.jobs")
]


def test_no_two_have_the_same_name() -> None:
    assert len(ALL) > 20
    assert len({cls.name for cls in ALL}) == len(ALL)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_an_unknown_field_is_ignored_and_a_missing_one_has_a_default(cls: type[Checkpoint]) -> None:
    old = cls.model_validate({"of_a_later_release": 1})
    assert old == cls()
    assert "of_a_later_release" not in old.model_dump()


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_what_is_saved_is_read_back_the_same(cls: type[Checkpoint]) -> None:
    assert cls.model_validate(cls().model_dump(mode="json")) == cls()
