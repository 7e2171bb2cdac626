"""A run in which all that can go wrong does, and then a search for every secret that was used in it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.sandbox.botapi.client import Seen
from tests.interruptions.points import AtNemo
from tests.interruptions.world import PATIENCE_S, ExternalStore, World, external_store, until

pytestmark = pytest.mark.heavy


NOISE = (
    {"endpoint": "upload", "drop": True},
    {"endpoint": "upload", "status": 502, "body": "<html>bad gateway</html>"},
    {"endpoint": "state", "status": 401},
    {"endpoint": "state", "body": '{"code": 0, "data": [1]}', "content_type": "application/json"},
    {"endpoint": "render", "status": 500},
    {"endpoint": "render-status", "body": "not JSON"},
    {"endpoint": "media", "cut_after_bytes": 10},
    {"endpoint": "claim-token", "code": 5000},
)


async def _make_noise(world: World, token: str) -> None:
    for fault in NOISE:
        await world.nemo.fault(**fault)
    # A server that repeats what it was sent.
    await world.nemo.fault("credits", code=5000, message=f"no account for Bearer {token}")
    await world.nemo.fault("session", code=5001, message=f"{token} has no room")
    faults = world.people.faults
    await faults.drop("sendMessage", when="after")
    await faults.error("editMessageText", code=500, description="Internal Server Error")
    await faults.error("getFile", code=502, description="Bad Gateway")
    await faults.cut_download(100)
    await faults.drop("sendVideo")


async def _talk(world: World, token: str) -> None:
    """Whatever comes of it, an answer does, to each."""
    for said in ("/credits", "/status", "/link", "/export"):
        await _make_noise(world, token)
        asked = await world.prompt()
        await _answered(world, asked)
        await _answered(world, await world.ada.say(said))
    await world.nemo.clear_faults()
    await world.people.faults.clear()


async def _answered(world: World, asked: Seen) -> None:
    async def is_answered() -> bool:
        return bool(await world.ada.chat.messages(from_bots=True, after=asked.id))

    await until(is_answered)
    await world.at_rest()


def _files(*directories: Path) -> Iterator[tuple[str, str]]:
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file():
                with contextlib.suppress(FileNotFoundError):  # a temporary one
                    yield str(path), path.read_bytes().decode("latin-1")


async def _everything(world: World, store: ExternalStore) -> list[tuple[str, str]]:
    """All places that are not Telegram's or NemoVideo's own, and what stands in every chat."""
    chats = await world.people.calls("sendMessage", "sendVideo", "editMessageText", "answerCallbackQuery")
    return [
        ("logs", await asyncio.to_thread(world.bots.tell)),
        *await asyncio.to_thread(lambda: list(_files(world.bots.data_dir, store.directory))),
        *((f"call {call['method']}", str(call)) for call in chats),
    ]


async def test_no_secret_is_found_anywhere_after_a_noisy_run(world: World) -> None:
    password, operator, own = (secrets.token_urlsafe(24) for _ in range(3))
    operator, own = f"nmv_usr_{operator}", f"nmv_usr_{own}"
    key = Fernet.generate_key().decode()
    for token in (operator, own):
        await world.nemo.add_account(credits=100_000, token=token)
    settings = {
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "ENCRYPTION_KEYS": key,
        "HTTP_LISTEN": "127.0.0.1:0",
    }
    with external_store(password) as store:
        world.bots.redis_url = store.url
        guests = world.bots.start(**settings)
        await _talk(world, "nmv_usr_of_a_guest")
        await world.ada.say(f"/login {own}")
        await world.ada.chat.wait(matching="your own NemoVideo account", timeout_s=PATIENCE_S)
        await _talk(world, own)
        await world.ada.say("/new")
        await world.at_rest()
        let_go = await AtNemo("message", "work").arrive(world)
        await world.bots.end(guests, signal.SIGKILL)
        store.stop(signal.SIGKILL)
        operators = world.bots.start(NEMO_TOKEN=operator, **settings)
        store.start()
        await let_go()
        await world.at_rest()
        await world.ada.say("/logout")
        await world.ada.chat.wait(matching="the bot's operator", timeout_s=PATIENCE_S)
        await _talk(world, operator)
        figures = await world.bots.metrics(operators)
        await world.bots.end(operators, signal.SIGTERM)

        searched = [*await _everything(world, store), ("metrics", figures)]

    accounts = [account.token for account in await world.nemo.accounts()]
    assert {operator, own} < set(accounts)
    known = [world.bots.services.token.partition(":")[2], password, key, *accounts]
    assert len(known) == len(accounts) + 3
    places = {place for place, text in searched if str(world.ada.id) in text}
    assert "logs" in places  # what is no secret is found
    assert any("appendonly" in place for place in places)
    found = [(place, secret[:12]) for place, text in searched for secret in known if secret in text]
    assert found == []
