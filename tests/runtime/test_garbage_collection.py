import gc
from collections.abc import Iterator

import pytest

from bot.runtime.garbage_collection import YOUNG_THRESHOLD, collect_rarely


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
