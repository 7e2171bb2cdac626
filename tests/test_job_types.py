"""One row for each kind of job."""

from dataclasses import fields
from unittest.mock import Mock

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

DEPENDENCIES = StepDependencies(*[Mock()] * len(fields(StepDependencies)))


def test_each_kind_has_one_row() -> None:
    kinds = [job_type.kind for job_type in JOB_TYPES]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) == set(JobKind)


def test_no_two_steps_have_the_same_name() -> None:
    classes = {type(step): step.name for row in JOB_TYPES for step in row.make_steps(DEPENDENCIES)}
    assert len(set(classes.values())) == len(classes)


@pytest.mark.parametrize("language", languages())
def test_every_command_has_a_description(language: str) -> None:
    words = Words(language)
    for job_type in JOB_TYPES:
        if job_type.command is not None:
            assert words.plain(f"command.{job_type.command.name}")


def test_a_command_that_nobody_finds_in_a_menu_is_forgotten() -> None:
    shown = {*PRIVATE_MENU, *GROUP_ADMIN_MENU, *OPERATOR_COMMANDS}
    assert set(COMMAND_JOBS) <= shown
