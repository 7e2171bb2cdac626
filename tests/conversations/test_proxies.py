"""A whole job with both services behind proxies: calls, the clip, the answer's stream, and the result."""

from pathlib import Path

from bot.sandbox import player
from bot.sandbox.conversation import read_conversation
from bot.store.connect import Store
from tests.runtime.proxies import serve_proxy

SCRIPT = """
title: Behind proxies
settings: {TELEGRAM_PROXY: "%s", NEMO_PROXY: "%s"}
people:
  Ann: {}
steps:
  - Ann: {sends: {name: a.mp4, seconds: 4}, caption: trim it to 2 seconds}
  - bot: {sends: {seconds: 2}}
"""


async def test_a_clip_is_edited_with_both_services_behind_proxies(tmp_path: Path, store: Store) -> None:
    (tmp_path / "work").mkdir()
    file = tmp_path / "proxies.yaml"
    async with serve_proxy() as telegram, serve_proxy() as nemo:
        file.write_text(SCRIPT % (telegram.url("socks5"), nemo.url("http")), encoding="utf-8")
        failure = await player.play(read_conversation(file), tmp_path / "out", tmp_path / "work", store.url)
    assert failure is None
    assert telegram.targets, "nothing passed the proxy to Telegram"
    assert nemo.targets, "nothing passed the proxy to NemoVideo"
