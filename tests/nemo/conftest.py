"""What the tests of the library share."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.runtime.http import new_client

SSL_CONTEXT = ssl.create_default_context()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with new_client(SSL_CONTEXT) as client:
        yield client
