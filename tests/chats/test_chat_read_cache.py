"""How long a job's reading of its chat serves, and what ends it sooner."""

import asyncio
import contextlib
import time

import pytest

from bot.chats.chat_read_cache import READING_S, ChatReadCache
from bot.chats.key import ChatKey

CHAT, TOPIC = ChatKey(-7), ChatKey(-7, 2)


class Store:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self) -> int:
        self.read += 1
        return self.read


async def test_a_jobs_steps_share_a_reading_and_no_other_job_does() -> None:
    readings, store = ChatReadCache[int](), Store()

    assert [await readings.get(CHAT, job, store) for job in ("a", "a", "b", "b", "a")] == [1, 1, 2, 2, 3]


async def test_a_topic_has_a_reading_of_its_own() -> None:
    readings, store = ChatReadCache[int](), Store()

    assert [await readings.get(key, "a", store) for key in (CHAT, TOPIC, TOPIC)] == [1, 2, 2]


async def test_a_change_ends_it_in_all_topics_even_one_that_failed() -> None:
    readings, store = ChatReadCache[int](), Store()
    await readings.get(TOPIC, "a", store)

    with contextlib.suppress(ConnectionError), readings.updating(CHAT):
        assert await readings.get(TOPIC, "a", store) == 1
        raise ConnectionError

    assert await readings.get(TOPIC, "a", store) == 2


async def test_a_change_that_is_made_to_what_was_read_too_needs_no_new_reading() -> None:
    readings, store = ChatReadCache[int](), Store()
    assert [await readings.get(key, "a", store) for key in (CHAT, TOPIC)] == [1, 2]

    with readings.updating(TOPIC, lambda read: read + 40):
        pass
    assert await readings.get(TOPIC, "a", store) == 42
    with contextlib.suppress(ConnectionError), readings.updating(TOPIC, lambda read: read + 40):
        raise ConnectionError
    assert await readings.get(TOPIC, "a", store) == 3
    with readings.updating(CHAT, lambda read: read + 40):
        pass
    assert await readings.get(TOPIC, "a", store) == 4


async def test_what_is_read_while_a_change_is_made_serves_once() -> None:
    readings, go_on = ChatReadCache[str](), asyncio.Event()

    async def slow() -> str:
        await go_on.wait()
        return "old"

    async def quick() -> str:
        return "new"

    reading = asyncio.create_task(readings.get(CHAT, "a", slow))
    await asyncio.sleep(0)
    with readings.updating(CHAT):
        pass
    go_on.set()

    assert await reading == "old"
    assert await readings.get(CHAT, "a", quick) == "new"


async def test_it_ends_after_a_second_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    readings, store, now_s = ChatReadCache[int](), Store(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    await readings.get(CHAT, "a", store)
    await readings.get(ChatKey(8), "b", store)

    now_s[0] += 1.5 * READING_S

    assert await readings.get(CHAT, "a", store) == 3
    assert len(readings._readings) == 1
