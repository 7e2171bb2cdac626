import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bot.web.app import create_app
from bot.web.health import Health


@contextlib.contextmanager
def checks(**found: bool | Exception) -> Iterator[Health]:
    def check(value: bool | Exception) -> Any:
        async def run() -> bool:
            if isinstance(value, Exception):
                raise value
            return value

        return run

    yield Health(started=lambda: True, **{name: check(value) for name, value in found.items()})


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ({"store": True, "telegram": True}, 200),
        ({"store": True, "telegram": False}, 503),
        ({"store": ConnectionError("away"), "telegram": True}, 503),
    ],
)
async def test_readyz_answers_200_only_if_every_check_passes(
    found: dict[str, bool | Exception], status: int
) -> None:
    with checks(**found) as health:
        transport = httpx.ASGITransport(create_app(health))
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
            ready = await http.get("/readyz")
            assert ready.status_code == status
            assert ready.json() == {
                "started": True,
                **{name: value is True for name, value in found.items()},
            }
            assert (await http.get("/healthz")).status_code == 200


async def test_healthz_answers_503_when_only_a_restart_helps() -> None:
    transport = httpx.ASGITransport(create_app(Health(hangs=lambda: True)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        assert (await http.get("/healthz")).status_code == 503


async def test_metrics_are_served_while_the_store_is_away() -> None:
    async def away() -> None:
        raise ConnectionError("away")

    transport = httpx.ASGITransport(create_app(Health(before_metrics=away)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bot") as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert "nemovideo_event_loop_lag_seconds_bucket" in answer.text
