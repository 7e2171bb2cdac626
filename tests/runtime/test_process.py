import gc
import resource
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from bot.runtime.disk import RESERVED_BYTES, has_room
from bot.runtime.process import (
    FILES_PER_JOB,
    OTHER_FILES,
    YOUNG_THRESHOLD,
    collect_rarely,
    raise_open_files,
)


@pytest.fixture(autouse=True)
def _restore_thresholds() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generation of each collection that starts."""
    generations: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            generations.append(info["generation"])

    gc.callbacks.append(note)
    yield generations
    gc.callbacks.remove(note)


def test_objects_from_the_start_are_frozen() -> None:
    collect_rarely()
    assert gc.get_freeze_count() > 10_000


def test_a_thousand_new_streams_trigger_no_collection(collections: list[int]) -> None:
    gc.collect()
    collect_rarely()
    collections.clear()
    streams = [[[] for _ in range(25)] for _ in range(1000)]  # type: ignore[var-annotated]
    assert (len(streams), collections) == (1000, [])


def test_cyclic_garbage_is_collected_eventually(collections: list[int]) -> None:
    collect_rarely()
    collections.clear()
    for _ in range(2 * YOUNG_THRESHOLD):
        ring: list[object] = []
        ring.append(ring)
    assert collections


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


def test_a_system_that_refuses_its_own_hard_limit_keeps_the_soft_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    with monkeypatch.context() as refusing:
        refusing.setattr(resource, "setrlimit", refuse)
        assert raise_open_files(0) == 256


def test_a_limit_that_is_too_low_is_logged() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with capture_logs() as logs:
        raise_open_files((hard - OTHER_FILES) // FILES_PER_JOB)
        raise_open_files(hard)
    assert [line["event"] for line in logs] == ["app.few_open_files"]


@pytest.mark.parametrize(("size_bytes", "fits"), [(10, True), (11, False)])
def test_a_file_leaves_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int, fits: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Mock(free=RESERVED_BYTES + 10))
    assert has_room(tmp_path, size_bytes) is fits
