"""Stock python-telegram-bot's share of ``tests/bench/calls.py``, in the loop that it comes with."""

from __future__ import annotations

import asyncio
import sys

from telegram.ext import Application

from tests.bench.aiogram_calls import CHAT, TEXT, TOKEN, answer_lines


async def main(url: str, count: int) -> None:
    """Answer every line with a measure."""
    builder = Application.builder().token(TOKEN).base_url(f"{url}/bot").connection_pool_size(256)
    async with builder.updater(None).build() as application:
        await answer_lines(lambda: application.bot.send_message(CHAT, TEXT, parse_mode="HTML"), count)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
