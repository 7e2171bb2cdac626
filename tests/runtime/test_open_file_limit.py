import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from bot.runtime.open_file_limit import FILES_PER_JOB, OTHER_FILES, raise_open_files


@pytest.fixture(autouse=True)
def _restore_limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert raise_open_files(0) == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_limit_that_is_too_low_is_logged() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs:
        raise_open_files((hard - OTHER_FILES) // FILES_PER_JOB)
        raise_open_files(hard)
    assert [line["event"] for line in logs] == ["app.few_open_files"]
