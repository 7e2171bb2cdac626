"""Both stand-ins on ports of one's choice."""

import asyncio
import socket
from pathlib import Path

import pytest

from bot.sandbox import command
from bot.sandbox.services import serve_services
from bot.startup import CannotStart
from tests.nemo.servers import free_port


async def test_the_ports_can_be_chosen(tmp_path: Path) -> None:
    telegram_port, nemo_port = free_port(), free_port()
    stand_ins = serve_services(tmp_path, telegram_port=telegram_port, nemo_port=nemo_port)
    async with stand_ins as services:
        assert services.telegram_url == f"http://127.0.0.1:{telegram_port}"
        assert services.nemo_url == f"http://127.0.0.1:{nemo_port}"


async def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with asyncio.timeout(30):
            with pytest.raises(CannotStart, match="port can't be used"):
                await command.services(telegram_port=taken.getsockname()[1])
