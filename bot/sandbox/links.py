"""Fetch links that people send, as both services do."""

import asyncio

import httpx

from bot.runtime.hosts import is_public_host
from bot.runtime.http import new_client, tls_context


async def link_client(*, public_only: bool) -> httpx.AsyncClient:
    """Make a client.

    Args:
        public_only: Whether links into this machine's networks are refused, whatever names and redirects say.
    """

    async def check(request: httpx.Request) -> None:
        if public_only and not is_public_host(request.url.host):
            raise httpx.ConnectError("not a public host", request=request)

    # Loading the certificates blocks for a tenth of a second the first time.
    client = new_client(await asyncio.to_thread(tls_context), public_only=public_only)
    client.event_hooks = {"request": [check]}
    return client
