"""Each fault, seen by a client."""

import asyncio
from pathlib import Path

import httpx
import pytest

from bot.sandbox.botapi import DEFAULT_TOKEN

from .conftest import Sandbox


async def test_errors_for_the_next_calls(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    faults = sandbox.people.faults
    await faults.error("sendMessage", code=429, description="Too Many Requests: retry after 7", retry_after=7)
    await faults.error("sendMessage", code=502, description="Bad Gateway")
    body = await sandbox.call("sendMessage", chat_id=ada.id, text="a")
    assert body["parameters"] == {"retry_after": 7}
    assert (await sandbox.call("getMe"))["ok"]
    assert await sandbox.refusal("sendMessage", chat_id=ada.id, text="b") == "Bad Gateway"
    assert (await sandbox.call("sendMessage", chat_id=ada.id, text="c"))["ok"]
    assert [message.text for message in await ada.chat.messages()] == ["c"]
    calls = await sandbox.people.calls("sendMessage")
    assert [call["state"] for call in calls] == ["error", "error", "ok"]


@pytest.mark.parametrize(("when", "arrived"), [("before", []), ("after", ["hello"])])
async def test_a_dropped_connection(sandbox: Sandbox, when: str, arrived: list[str]) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    await sandbox.people.faults.drop("sendMessage", when=when)  # type: ignore[arg-type]  # a literal, above
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        await sandbox.call("sendMessage", chat_id=ada.id, text="hello")
    assert [message.text for message in await ada.chat.messages()] == arrived
    (call,) = await sandbox.people.wait_calls("sendMessage")
    assert call["state"] == ("lost" if arrived else "dropped")


async def test_an_error_although_it_was_sent(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    await sandbox.people.faults.error("sendMessage", code=500, description="Internal", when="after")
    assert await sandbox.refusal("sendMessage", chat_id=ada.id, text="sent") == "Internal"
    assert (await ada.chat.wait()).text == "sent"


async def test_held_before_and_after(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    hold = await sandbox.people.faults.hold("sendMessage")
    sending = asyncio.create_task(sandbox.call("sendMessage", chat_id=ada.id, text="held"))
    await hold.reached()
    assert not await ada.chat.messages()
    await hold.release()
    assert (await sending)["ok"]
    hold = await sandbox.people.faults.hold("sendMessage", when="after")
    sending = asyncio.create_task(sandbox.call("sendMessage", chat_id=ada.id, text="unanswered"))
    await hold.reached()
    assert (await ada.chat.wait(matching="unanswered")).text == "unanswered"
    await hold.release(drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await sending


async def test_a_client_that_dies_while_held(sandbox: Sandbox) -> None:
    hold = await sandbox.people.faults.hold("getMe")
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.http.get(f"/bot{DEFAULT_TOKEN}/getMe", timeout=0.05)
    await hold.reached()
    await sandbox.people.faults.clear()
    calls = await sandbox.people.wait_calls("getMe", count=2)
    assert calls[-1]["state"] == "ok"


async def test_a_late_answer(sandbox: Sandbox) -> None:
    await sandbox.people.faults.delay("getMe", s=0.05, when="after")
    started = asyncio.get_running_loop().time()
    assert (await sandbox.call("getMe"))["ok"]
    assert asyncio.get_running_loop().time() - started >= 0.05


async def test_downloads_that_break_or_crawl(sandbox: Sandbox, clip: Path, clip_data: bytes) -> None:
    ada = await sandbox.people.person()
    await ada.send_file("video", clip)
    video = (await sandbox.call("getUpdates"))["result"][0]["message"]["video"]
    path = (await sandbox.call("getFile", file_id=video["file_id"]))["result"]["file_path"]
    address = f"/file/bot{DEFAULT_TOKEN}/{path}"
    faults = sandbox.people.faults
    await faults.cut_download(after_bytes=500)
    got = bytearray()

    async def download() -> None:
        async with sandbox.http.stream("GET", address) as response:
            assert response.headers["content-length"] == str(len(clip_data))
            async for chunk in response.aiter_raw():
                got.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError):
        await download()
    assert got == clip_data[:500]
    await faults.error("file", code=404, description="Not Found")
    assert (await sandbox.http.get(address)).status_code == 404
    await faults.slow_download(bytes_per_s=len(clip_data) * 10)
    started = asyncio.get_running_loop().time()
    assert (await sandbox.http.get(address)).content == clip_data
    assert asyncio.get_running_loop().time() - started >= 0.09
    calls = await sandbox.people.wait_calls("file", count=3)
    assert [call["state"] for call in calls] == ["dropped", "error", "ok"]
