"""aiogram's share of ``tests/bench/calls.py``, run with packages of its own; imports nothing of the project.

Each line that it reads lets it make its calls once; it prints how many a second they were.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

AT_ONCE = 256
CHAT = 7
TEXT = "<b>Uploading</b>\n▰▰▰▱▱▱▱▱▱▱▱▱ 25% · 0:14"
TOKEN = "123456789:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def calls_a_second(call: Callable[[], Awaitable[object]], count: int) -> float:
    """Keep 256 calls under way, after 256 that only open the connections."""
    await asyncio.gather(*(call() for _ in range(AT_ONCE)))

    async def some() -> None:
        for _ in range(count // AT_ONCE):
            await call()

    began_s = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began_s)


async def answer_lines(call: Callable[[], Awaitable[object]], count: int) -> None:
    """Say that it is there, and answer every line with a measure."""
    print("ready", flush=True)
    while sys.stdin.readline():
        print(await calls_a_second(call, count), flush=True)


async def main(url: str, count: int) -> None:
    """Answer every line with a measure."""
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    session = AiohttpSession(api=TelegramAPIServer.from_base(url), limit=AT_ONCE)
    async with Bot(TOKEN, session=session) as bot:
        await answer_lines(lambda: bot.send_message(CHAT, TEXT, parse_mode="HTML"), count)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
