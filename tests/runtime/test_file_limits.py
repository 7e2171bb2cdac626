import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from bot.runtime.file_limits import BESIDE_JOBS, PER_JOB, raise_open_files


@pytest.fixture(autouse=True)
def _limits_as_before() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    assert raise_open_files(0) == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_one_that_does_not_suffice_is_told() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs:
        raise_open_files((hard - BESIDE_JOBS) // PER_JOB)
        raise_open_files(hard)
    assert [line["event"] for line in logs] == ["app.few_open_files"]
