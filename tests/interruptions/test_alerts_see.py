"""What a real process shows of each outage that an alert is made for; `tests/deploy/test_alerts.py` has the rules."""

from __future__ import annotations

import signal

import pytest

from tests.interruptions.world import ExternalStore, Process, World, until

pytestmark = pytest.mark.heavy

TERMINATED = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)


async def expect(world: World, process: Process, *lines: str, ready: bool) -> None:
    """Wait until the figures have these lines, and readiness is as expected."""

    async def holds() -> bool:
        text = await world.bots.metrics(process)
        status = (await world.bots.get(process, "/readyz")).status_code
        return all(f"\n{line}" in text for line in lines) and (status == 200) is ready

    await until(holds)


@pytest.mark.parametrize(
    ("code", "words", "outcome"), [(502, "Bad Gateway", "failed"), (409, TERMINATED, "conflict")]
)
async def test_telegram_that_answers_no_poll(world: World, code: int, words: str, outcome: str) -> None:
    process = world.bots.start(HTTP_LISTEN="127.0.0.1:0")
    await world.bots.ready(process)
    await expect(world, process, "nemovideo_polling 1.0", "nemovideo_worker 1.0", ready=True)

    await world.people.faults.error("getUpdates", code=code, description=words, times=1000)
    await world.ada.say("/help")  # ends the poll that is held
    await expect(
        world, process, "nemovideo_polling 0.0", f'nemovideo_polls_total{{outcome="{outcome}"}}', ready=False
    )

    await world.people.faults.clear()
    await world.ada.say("/help")
    await expect(world, process, "nemovideo_polling 1.0", ready=True)


async def test_a_store_that_dies(world: World, external: ExternalStore) -> None:
    world.bots.redis_url = external.url
    process = world.bots.start(HTTP_LISTEN="127.0.0.1:0")
    await world.bots.ready(process)
    external.stop(signal.SIGKILL)
    await world.ada.say("/help")
    await expect(
        world,
        process,
        "nemovideo_worker 0.0",
        "nemovideo_polling 0.0",
        ready=False,
    )
    external.start()
    await expect(world, process, "nemovideo_worker 1.0", "nemovideo_polling 1.0", ready=True)


async def test_intake_without_a_worker(world: World, external: ExternalStore) -> None:
    world.bots.redis_url = external.url
    process = world.bots.start("intake", HTTP_LISTEN="127.0.0.1:0")
    await world.bots.ready(process)
    await expect(world, process, "nemovideo_worker 0.0", "nemovideo_polling 1.0", ready=True)


async def test_a_process_that_starts_before_the_store_waits_for_it(
    world: World, external: ExternalStore
) -> None:
    world.bots.redis_url = external.url
    external.stop(signal.SIGKILL)
    process = world.bots.start(HTTP_LISTEN="127.0.0.1:0")

    async def waits() -> bool:
        return "app.store_unreachable" in world.bots.tell()

    await until(waits)
    await expect(world, process, ready=False)
    external.start()
    await world.bots.ready(process)
    await expect(world, process, "nemovideo_worker 1.0", ready=True)
