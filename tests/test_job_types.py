"""One row for each kind of job; every step can be made from what there is for all of them."""

from typing import get_type_hints

import pytest

from bot.job_types import (
    COMMAND_JOBS,
    GROUP_ADMIN_MENU,
    JOB_TYPES,
    OPERATOR_COMMANDS,
    PRIVATE_MENU,
    StepDependencies,
)
from bot.jobs.model import JobKind
from bot.words import Words, languages

STEPS = list(dict.fromkeys(step for job_type in JOB_TYPES for step in job_type.steps))


def test_each_kind_has_one_row() -> None:
    kinds = [job_type.kind for job_type in JOB_TYPES]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == set(JobKind)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_the_arguments_of_a_step_are_dependencies_of_the_same_type(step: type) -> None:
    there = get_type_hints(StepDependencies) | {one.name: one for one in STEPS}
    constructor = step.__init__ if "__init__" in vars(step) else None  # type: ignore[misc]
    needed = get_type_hints(constructor) if constructor is not None else {}
    needed.pop("return", None)
    assert {name: there.get(name) for name in needed} == needed


def test_no_two_steps_have_the_same_name() -> None:
    names = [vars(step)["name"] for step in STEPS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("language", languages())
def test_every_command_has_a_description(language: str) -> None:
    words = Words(language)
    for job_type in JOB_TYPES:
        if job_type.command is not None:
            assert words.plain(f"command.{job_type.command.name}")


def test_a_command_that_nobody_finds_in_a_menu_is_forgotten() -> None:
    shown = {*PRIVATE_MENU, *GROUP_ADMIN_MENU, *OPERATOR_COMMANDS}
    assert set(COMMAND_JOBS) <= shown
