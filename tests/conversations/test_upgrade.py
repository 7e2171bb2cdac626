"""An upgrade after which the store's requests can't be read: nothing paid for is lost, or paid for again."""

from pathlib import Path

import pytest

from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import serve_services
from bot.store import keys
from bot.store.connect import Store
from tests.jobs.steps.conftest import a_draft

pytestmark = pytest.mark.heavy

PATIENCE_S = 60.0


async def test_what_ran_is_offered_as_an_export_and_what_waited_is_to_be_sent_again(
    store: Store, tmp_path: Path
) -> None:
    clock, options = SystemClock(), {"redis_url": store.url, "render_poll_s": 0.1}
    async with (
        serve_services(tmp_path / "services", clock, flood_limits=None) as services,
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
    ):
        ann = await people.person("Ann")
        async with running_bot(services, tmp_path / "bot", clock, **options):
            await ann.open()
            await nemo.script([{"hold": "work"}])
            await ann.say("make a 1 second video of a cat, 16:9")
            await nemo.wait("messages")
            await ann.say("then make it vertical")
            await ann.chat.wait(matching="Position 1", timeout_s=PATIENCE_S)
        (session,) = await nemo.sessions()
        await nemo.set_draft(session.id, a_draft(0))  # The agent goes on without the bot.
        async for key in store.redis.scan_iter(f"{keys.JOB}*"):
            await store.redis.hset(key, "request", "of another release")
        async with running_bot(services, tmp_path / "bot", clock, **options):
            await ann.chat.wait(matching="Please send the request again", timeout_s=PATIENCE_S)
            kept = await ann.chat.wait(matching="is kept. Press Export", timeout_s=PATIENCE_S)
            for progress in ("▱", "Position 1"):  # the bar of what ran, and the place of what waited
                await ann.chat.wait(matching=progress, only_deleted=True, timeout_s=PATIENCE_S)
            await ann.press(kept, "Export")
            await ann.chat.wait(kind="video", timeout_s=PATIENCE_S)
        assert len(await nemo.messages()) == 1
