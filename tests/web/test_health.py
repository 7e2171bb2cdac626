import asyncio

import pytest

from bot.web import health as health_module
from bot.web.health import Health


async def passing() -> bool:
    return True


async def failing() -> bool:
    raise ConnectionError


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def test_a_check_that_fails_or_hangs_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CHECK_TIMEOUT_S", 0.05)
    health = Health(passing, failing, passing, webhook=hanging)
    assert await health.check() == {"store": True, "telegram": False, "started": True, "webhook": False}


async def test_checks_run_at_once() -> None:
    both = asyncio.Barrier(2)

    async def meet() -> bool:
        await both.wait()
        return True

    assert all((await Health(meet, meet, passing).check()).values())
