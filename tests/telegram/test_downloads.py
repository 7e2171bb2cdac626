import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import pillow_heif
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.jobs.model import Attachment
from bot.jobs.ports import FileGone, FileTooLarge, FileUnavailable
from bot.media.errors import FileTypeUnsupported, PictureTooLarge
from bot.media.file_type import sniff
from bot.runtime.http import Transport
from bot.sandbox.botapi import DEFAULT_TOKEN
from bot.sandbox.botapi.client import Person
from bot.sandbox.samples import make_audio
from bot.telegram.sending import downloads
from bot.telegram.sending.bot import new_bot
from bot.telegram.sending.downloads import PREFETCH_TTL_S, UNAVAILABLE_PAUSES_S, FileDownloads
from bot.web.serve import serve
from tests.clocks import eventually, passing
from tests.media.test_video_conversion import make
from tests.telegram.conftest import Start, Telegram


async def ref(telegram: Telegram, kind: str = "video", name: str = "clip.mp4") -> Attachment:
    """The newest file, by the id that the bot was told; people see another."""
    update = (await telegram.people.ask("updates", bot=telegram.people.bot))["made"][-1]
    found = update["message"][kind]
    return Attachment(found["file_id"], kind, name, found.get("file_size"), found.get("mime_type", ""))


async def read(telegram: Telegram, file: Attachment) -> tuple[str, int, str, bytes]:
    async with telegram.files().open(1, file) as opened:
        content = b"".join([chunk async for chunk in opened.chunks])
        return opened.name, opened.size, opened.content_type, content


async def ada_of(telegram: Telegram) -> Person:
    ada = await telegram.people.person()
    await ada.start()
    return ada


@pytest.mark.parametrize("local", [False, True])
async def test_a_file_streams_with_its_length(
    start: Start, clip: Path, clip_bytes: bytes, local: bool
) -> None:
    telegram = await start(local=local)
    await (await ada_of(telegram)).send_file("video", clip)
    name, size, content_type, content = await read(telegram, await ref(telegram))
    assert (name, size, content_type) == ("clip.mp4", len(clip_bytes), "video/mp4")
    assert content == clip_bytes


@pytest.mark.parametrize("local", [False, True])
async def test_a_file_that_is_expected_is_asked_for_once(
    start: Start, clip: Path, clip_bytes: bytes, local: bool
) -> None:
    telegram = await start(local=local)
    await (await ada_of(telegram)).send_file("video", clip)
    file, files = await ref(telegram), telegram.files()
    for _ in range(2):
        files.prefetch(1, file)
    await telegram.people.wait_calls("getFile")
    async with files.open(1, file) as opened:
        assert b"".join([chunk async for chunk in opened.chunks]) == clip_bytes
    assert len(await telegram.people.calls("getFile")) == 1
    files.prefetch(1, file)
    await telegram.clock.advance(PREFETCH_TTL_S)  # Its job ended meanwhile; the path may be gone.
    async with files.open(1, file):
        assert len(await telegram.people.calls("getFile")) == 3


async def test_what_goes_wrong_with_an_expected_file_shows_when_it_is_opened(
    telegram: Telegram, clip: Path
) -> None:
    await (await ada_of(telegram)).send_file("video", clip)
    file, files = await ref(telegram), telegram.files()
    await telegram.people.faults.error("getFile", code=400, description="Bad Request: invalid file_id")
    files.prefetch(1, file)
    with pytest.raises(FileGone):
        async with files.open(1, file):
            pass


async def test_the_content_tells_the_kind_and_not_the_name(telegram: Telegram, clip: Path) -> None:
    await (await ada_of(telegram)).send_file("document", clip, name="holiday.mov")
    name, _, content_type, _ = await read(telegram, await ref(telegram, "document", "holiday.mov"))
    assert (name, content_type) == ("holiday.mp4", "video/mp4")


@pytest.mark.parametrize("local", [False, True])
async def test_a_voice_is_converted_on_the_way(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, local: bool
) -> None:
    telegram = await start(local=local)
    if local:
        monkeypatch.setattr(downloads, "CLOUD_SIZE_LIMIT", 10)  # A local server has another.
    await (await ada_of(telegram)).send_file("voice", make_audio(tmp_path / "voice.ogg", 1))
    name, size, content_type, content = await read(telegram, await ref(telegram, "voice", "voice_1.ogg"))
    assert (name, content_type) == ("voice_1.m4a", "audio/mp4")
    assert size == len(content)
    assert sniff(content) == "m4a"


async def test_a_chat_converts_one_file_at_a_time_so_that_others_get_their_turn(
    telegram: Telegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await ada_of(telegram)).send_file("voice", make_audio(tmp_path / "voice.ogg", 1))
    voice, files, go_on = await ref(telegram, "voice", "voice_1.ogg"), telegram.files(), asyncio.Event()
    begun, done = list[str](), list[str]()

    async def convert(source: object, kind: str, target: IO[bytes], name: str) -> int:
        begun.append(name)
        await go_on.wait()
        return 0

    async def convert_for(chat_id: int, name: str) -> None:
        async with files.open(chat_id, replace(voice, name=name)):
            done.append(name)

    monkeypatch.setattr(downloads, "convert_file", convert)
    async with asyncio.TaskGroup() as group:
        for chat_id, name in ((1, "a"), (1, "b"), (1, "c"), (2, "d")):
            group.create_task(convert_for(chat_id, name))
        await eventually(lambda: len(begun) == 2)
        assert len({name == "d" for name in begun}) == 2
        go_on.set()
    assert sorted(done) == ["a", "b", "c", "d"]


async def test_sound_in_an_mp4_is_not_called_a_video(telegram: Telegram, tmp_path: Path) -> None:
    path = make_audio(tmp_path / "song.m4a", 1)
    content = bytearray(path.read_bytes())
    content[8:12] = b"isom"  # as many recorders write it
    await (await ada_of(telegram)).send_file("audio", bytes(content), name="song.m4a")
    name, _, content_type, _ = await read(telegram, await ref(telegram, "audio", "song.m4a"))
    assert (name, content_type) == ("song.m4a", "audio/mp4")


@pytest.mark.parametrize(
    ("name", "sent_as", "content_type"),
    [
        ("C0001.MP4", "C0001.MP4", "video/mp4"),
        ("IMG_1.heic", "IMG_1.jpg", "image/jpeg"),
        ("00001.MTS", "00001.mp4", "video/mp4"),
    ],
)
async def test_camera_files_pass(
    telegram: Telegram, clip_bytes: bytes, tmp_path: Path, name: str, sent_as: str, content_type: str
) -> None:
    if name.endswith("heic"):
        pillow_heif.from_pillow(Image.new("RGB", (64, 48), "darkorange")).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()
    elif name.endswith("MTS"):
        content = make(tmp_path / name, "mpegts", "libx264", "ac3").read_bytes()
    else:
        content = clip_bytes[:8] + b"XAVC" + clip_bytes[12:]
    await (await ada_of(telegram)).send_file("document", content, name=name)
    came_as, size, came_type, came = await read(telegram, await ref(telegram, "document", name))
    assert (came_as, came_type, len(came)) == (sent_as, content_type, size)


async def test_content_that_tells_nothing_is_what_its_name_says(telegram: Telegram) -> None:
    content = b"\x01\x02\x03\xfe" * 500
    await (await ada_of(telegram)).send_file("document", content, name="clip.mkv")
    name, *_, came = await read(telegram, await ref(telegram, "document", "clip.mkv"))
    assert (name, came) == ("clip.mkv", content)


async def test_content_that_is_no_media_is_not_taken(telegram: Telegram) -> None:
    await (await ada_of(telegram)).send_file("document", b"#!/bin/sh\n" * 50, name="clip.mp4")
    with pytest.raises(FileTypeUnsupported) as refused:
        await read(telegram, await ref(telegram, "document"))
    assert refused.value.kind == "text"


def png(width: int, height: int) -> bytes:
    header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + bytes(200)


def webp(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 200) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + size + bytes(200)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(200)


@pytest.mark.parametrize("make", [png, webp, gif])
async def test_a_picture_that_unpacks_to_gigabytes_is_not_taken(
    telegram: Telegram, make: Callable[[int, int], bytes]
) -> None:
    ada = await ada_of(telegram)
    await ada.send_file("document", make(60_000, 60_000), name="bomb.png")
    with pytest.raises(PictureTooLarge):
        await read(telegram, await ref(telegram, "document"))


@pytest.mark.parametrize("make", [png, webp, gif])
async def test_a_large_photo_is_taken(telegram: Telegram, make: Callable[[int, int], bytes]) -> None:
    ada = await ada_of(telegram)
    content = make(16_320, 12_240)
    await ada.send_file("document", content, name="photo.png")
    *_, came = await read(telegram, await ref(telegram, "document"))
    assert came == content


async def test_what_the_cloud_does_not_give_out_is_too_large(telegram: Telegram, tmp_path: Path) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as handle:
        handle.truncate(20 * 1024 * 1024 + 1)
    await (await ada_of(telegram)).send_file("document", large)
    with pytest.raises(FileTooLarge) as caught:
        await read(telegram, await ref(telegram, "document"))
    assert caught.value.limit == 20 * 1024 * 1024


@pytest.mark.parametrize("times", [1, 2])
async def test_an_address_that_leads_nowhere_is_asked_for_once_more(
    telegram: Telegram, clip: Path, clip_bytes: bytes, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    await (await ada_of(telegram)).send_file("video", clip)
    fetch, refused = FileDownloads._fetch, list[str]()

    async def once_gone(self: FileDownloads, url: str, stack: contextlib.AsyncExitStack) -> object:
        refused.append(url)
        return await fetch(self, url if len(refused) > times else f"{url}.gone", stack)

    monkeypatch.setattr(FileDownloads, "_fetch", once_gone)
    with pytest.raises(FileGone) if times > 1 else contextlib.nullcontext():
        *_, content = await read(telegram, await ref(telegram))
        assert content == clip_bytes
    assert len(await telegram.people.calls("getFile")) == 2


async def test_a_file_that_telegram_refuses_for_good(telegram: Telegram, clip: Path) -> None:
    await (await ada_of(telegram)).send_file("video", clip)
    await telegram.people.faults.error("getFile", code=400, description="Bad Request: invalid file_id")
    with pytest.raises(FileGone) as caught:
        await read(telegram, await ref(telegram))
    assert type(caught.value) is FileGone
    assert telegram.clock.slept == []


@pytest.mark.parametrize("local", [False, True])
async def test_a_file_that_is_unavailable_is_asked_for_for_a_minute(
    start: Start, clip: Path, local: bool
) -> None:
    telegram = await start(local=local)
    await (await ada_of(telegram)).send_file("video", clip)
    await telegram.people.faults.lose_file((await ref(telegram)).file_id)
    with pytest.raises(FileUnavailable):
        await passing(telegram.clock, read(telegram, await ref(telegram)))
    assert telegram.clock.slept == list(UNAVAILABLE_PAUSES_S)


@pytest.mark.parametrize(
    ("code", "unavailable"),
    [
        (400, "Bad Request: wrong file_id or the file is temporarily unavailable"),
        (404, "Not Found"),
    ],
)
async def test_a_file_that_is_unavailable_for_seconds(
    telegram: Telegram, clip: Path, clip_bytes: bytes, code: int, unavailable: str
) -> None:
    await (await ada_of(telegram)).send_file("video", clip)
    await telegram.people.faults.error("getFile", code=code, description=unavailable, times=2)
    *_, content = await passing(telegram.clock, read(telegram, await ref(telegram)))
    assert content == clip_bytes


async def test_a_copy_that_another_job_deleted_is_fetched_anew(
    start: Start, clip: Path, clip_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = await start(local=True)
    await (await ada_of(telegram)).send_file("video", clip)
    files = telegram.files()
    told: list[str] = []

    async def on_copy(copy: str) -> None:
        if not told:
            await files.discard(copy)  # The other job is done just between the answer and the first byte.
        told.append(copy)

    async with files.open(1, await ref(telegram), on_copy) as opened:
        assert b"".join([chunk async for chunk in opened.chunks]) == clip_bytes
    assert len(told) == 2


@pytest.mark.parametrize("path", ["/nowhere/of/this/machine/videos/file_0.mp4", "videos/file_0.mp4"])
async def test_a_path_that_is_not_visible_here_is_gone(
    telegram: Telegram, tls: ssl.SSLContext, path: str
) -> None:
    """As with a server that runs without ``--local``, or on another machine."""

    async def me(_: Request) -> Response:
        return JSONResponse({"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "Bot"}})

    async def found(_: Request) -> Response:
        return JSONResponse(
            {"ok": True, "result": {"file_id": "id", "file_unique_id": "unique", "file_path": path}}
        )

    routes = [
        Route("/bot{token}/getMe", me, methods=["POST"]),
        Route("/bot{token}/getFile", found, methods=["POST"]),
    ]
    rate_limiter = telegram.telegram_calls.rate_limiter
    async with (
        serve(Starlette(routes=routes)) as url,
        new_bot(DEFAULT_TOKEN, url, lambda: Transport(tls), rate_limiter, local=True) as bot,
    ):
        files = FileDownloads(replace(telegram.telegram_calls, bot=bot), telegram.http, local=True)
        with pytest.raises(FileGone) as caught:
            async with files.open(1, Attachment("id", "video", "clip.mp4", None, "")):
                pass
        assert bot.token not in str(caught.value)


async def test_a_copy_is_told_of_without_the_token_and_deleted(start: Start, clip: Path) -> None:
    telegram = await start(local=True)
    await (await ada_of(telegram)).send_file("video", clip)
    files, told = telegram.files(), list[str]()

    async def on_copy(copy: str) -> None:
        told.append(copy)

    async with files.open(1, await ref(telegram), on_copy):
        assert len(told) == 1
    assert telegram.bot.token not in told[0]
    server_dir = telegram.work_dir.parent / "telegram" / telegram.bot.token
    assert [path.name for path in await asyncio.to_thread(sorted, server_dir.rglob("*.mp4"))] == [
        "file_1.mp4"
    ]
    for _ in range(2):
        await files.discard(told[0])
    assert await asyncio.to_thread(sorted, server_dir.rglob("*.mp4")) == []


@pytest.mark.parametrize("way", ["direct", "dots", "link", "directory", "no directory known"])
async def test_nothing_is_deleted_outside_of_the_servers_directory(
    start: Start, clip: Path, tmp_path: Path, way: str
) -> None:
    telegram = await start(local=True)
    files = telegram.files()
    outside = tmp_path / "outside" / "kept.mp4"
    inside = tmp_path / "telegram" / "videos"
    for directory in (outside.parent, inside):
        directory.mkdir(parents=True)
    outside.write_bytes(b"kept")
    match way:
        case "dots":
            copy = f"{inside}/../../outside/kept.mp4"
        case "link":
            (inside / "link.mp4").symlink_to(outside)
            copy = str(inside / "link.mp4")
        case "directory":
            copy = str(inside)
        case "no directory known":
            files = FileDownloads(telegram.telegram_calls, telegram.http, local=True)
            copy = str(outside)
        case _:
            copy = str(outside)
    await files.discard(copy)
    assert outside.read_bytes() == b"kept"
    assert inside.is_dir()


async def test_a_slow_beginning_is_still_recognised(
    telegram: Telegram, clip: Path, clip_bytes: bytes
) -> None:
    await (await ada_of(telegram)).send_file("video", clip)

    async def drops(content: bytes) -> AsyncIterator[bytes]:
        for part in (content[:3], content[3:10], content[10:]):
            yield part

    files = telegram.files()
    original = files._from_cloud

    @contextlib.asynccontextmanager
    async def in_drops(url: str, size: int | None) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        async with original(url, size) as (length, chunks):
            content = b"".join([chunk async for chunk in chunks])
            yield length, drops(content)

    files._from_cloud = in_drops  # type: ignore[method-assign]  # how a slow line delivers can't be had otherwise
    async with files.open(1, await ref(telegram, name="holiday.mov")) as opened:
        assert opened.name == "holiday.mp4"
        assert b"".join([chunk async for chunk in opened.chunks]) == clip_bytes


@pytest.mark.parametrize("compresses", [False, True])
async def test_a_file_whose_length_nobody_tells(
    telegram: Telegram, clip_bytes: bytes, tls: ssl.SSLContext, compresses: bool
) -> None:
    """As Telegram allows: ``file_size`` is optional everywhere, and an answer may come in chunks."""

    async def me(_: Request) -> Response:
        return JSONResponse({"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "Bot"}})

    async def found(_: Request) -> Response:
        path = {"file_id": "id", "file_unique_id": "unique", "file_path": "videos/file_0.mp4"}
        return JSONResponse({"ok": True, "result": path})

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(clip_bytes), 7000):
            yield clip_bytes[start : start + 7000]

    async def content(_: Request) -> Response:
        return StreamingResponse(pieces(), media_type="application/octet-stream")

    routes = [
        Route("/bot{token}/getMe", me, methods=["POST"]),
        Route("/bot{token}/getFile", found, methods=["POST"]),
        Route("/file/bot{token}/videos/file_0.mp4", content),
    ]
    layers = [Middleware(GZipMiddleware)] if compresses else []
    file = Attachment("id", "video", "clip.mp4", None, "")
    rate_limiter = telegram.telegram_calls.rate_limiter
    async with (
        serve(Starlette(routes=routes, middleware=layers)) as url,
        new_bot(DEFAULT_TOKEN, url, lambda: Transport(tls), rate_limiter, local=False) as bot,
    ):
        files = FileDownloads(replace(telegram.telegram_calls, bot=bot), telegram.http, local=False)
        async with files.open(1, file) as opened:
            assert opened.size == len(clip_bytes)
            assert b"".join([chunk async for chunk in opened.chunks]) == clip_bytes
        clip_bytes = bytes(20 * 1024 * 1024 + 1)
        with pytest.raises(FileTooLarge):
            async with files.open(1, file):
                pass


@pytest.mark.parametrize("kind", ["video", "voice"])
async def test_a_line_that_breaks_is_taken_up_where_it_broke(
    telegram: Telegram, clip: Path, tmp_path: Path, kind: str
) -> None:
    sent = clip if kind == "video" else make_audio(tmp_path / "voice.ogg", 1)
    await (await ada_of(telegram)).send_file(kind, sent)
    file = await ref(telegram, kind, sent.name)
    await telegram.people.faults.cut_download(1500)
    await telegram.people.faults.cut_download(700)

    _, size, _, content = await passing(telegram.clock, read(telegram, file))

    assert size == len(content)
    assert content == sent.read_bytes() or sniff(content) == "m4a"
    await telegram.people.faults.cut_download(1500, times=None)
    with pytest.raises(FileUnavailable):
        await passing(telegram.clock, read(telegram, file))


async def test_a_line_that_breaks_before_the_first_byte_is_tried_again(
    telegram: Telegram, clip: Path, clip_bytes: bytes
) -> None:
    await (await ada_of(telegram)).send_file("video", clip)
    await telegram.people.faults.drop("file")
    await telegram.people.faults.error("file", code=502, description="Bad Gateway")
    await telegram.people.faults.error("file", code=429, description="Too Many Requests")

    assert (await passing(telegram.clock, read(telegram, await ref(telegram))))[3] == clip_bytes
