import asyncio

from structlog.testing import capture_logs

from bot.runtime.tasks import in_background
from tests.clocks import eventually


async def test_an_error_in_the_background_is_logged() -> None:
    async def break_down() -> None:
        raise ValueError("broken")

    async def go_on() -> None:
        await asyncio.Event().wait()

    with capture_logs() as logged:
        async with in_background(break_down(), go_on()):
            await eventually(lambda: bool(logged))
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("background.failed", "error")
