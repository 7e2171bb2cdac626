"""A file on disk to NemoVideo: beside ``curl -F``, and httpx as it comes.

The bot's part is its own code, with an own Bot API server that tells where the file lies. curl's time includes its
start, about 10 ms.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import httpx

from tests.bench.relay import relay, seconds_of, speed, telegram
from tests.bench.servers import has_tools, serve_sink
from tests.bench.table import Contender, Figure, ratio, take_turns

SIZE_MB = 256
ROUNDS = 7


async def measure() -> list[Figure]:
    """Measure all."""
    if not has_tools("upload from disk", "nginx", "curl"):
        return []

    async def httpx_files() -> float:
        began_s = time.perf_counter()
        with source.path.open("rb") as handle:
            answer = await stock.post(sink.url, files={"files": handle}, timeout=60)
        answer.raise_for_status()
        return time.perf_counter() - began_s

    with telegram(SIZE_MB, local=True) as source, serve_sink() as sink:
        async with (
            relay(source.api_url, sink.url, server_dir=source.path.parent) as bot,
            httpx.AsyncClient() as stock,
        ):
            contenders: Mapping[str, Contender] = {
                "bot": speed(bot, SIZE_MB),
                "curl -F": speed(
                    partial(seconds_of, f"curl -s -F files=@{source.path} {sink.url}/"), SIZE_MB
                ),
                "httpx files=": speed(httpx_files, SIZE_MB),
            }
            taken = await take_turns(contenders, ROUNDS)
    goals = {"curl -F": 0.85, "httpx files=": 2.5}
    path = f"upload from disk, {SIZE_MB} MB"
    return [
        ratio(path, taken["bot"], taken[peer], unit="MB/s", peer_name=peer, goal=goal)
        for peer, goal in goals.items()
    ]
