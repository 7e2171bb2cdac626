"""Garbage is collected rarely, and it is collected."""

import gc
from collections.abc import Iterator

import pytest

from bot.runtime.garbage_collection import NEW_OBJECTS, collect_rarely


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generation of each collection that begins."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def test_what_is_there_at_the_start_is_not_looked_at() -> None:
    collect_rarely()
    assert gc.get_freeze_count() > 10_000


def test_a_thousand_new_streams_wait_for_no_collection(collections: list[int]) -> None:
    gc.collect()
    collect_rarely()
    collections.clear()
    streams = [[[] for _ in range(25)] for _ in range(1000)]  # type: ignore[var-annotated]
    assert (len(streams), collections) == (1000, [])


def test_garbage_that_refers_to_itself_goes_in_the_end(collections: list[int]) -> None:
    collect_rarely()
    collections.clear()
    for _ in range(2 * NEW_OBJECTS):
        ring: list[object] = []
        ring.append(ring)
    assert collections
