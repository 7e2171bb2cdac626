"""Cloud and local mode, links, and what Telegram does to large and small media."""

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from bot.sandbox.botapi import DEFAULT_TOKEN
from bot.sandbox.botapi.files import CLOUD_DOWNLOAD_BYTES
from bot.web.serve import serve

from .conftest import Sandbox, Start


def size_of(path: Path) -> int:
    return path.stat().st_size


def is_same(one: Path, other: Path) -> bool:
    return os.path.samefile(one, other)


async def test_an_own_server_works_by_path(start: Start, clip: Path, clip_data: bytes, large: Path) -> None:
    sandbox = await start(local=True)
    ada = await sandbox.people.person()
    await ada.send_file("video", large)
    (update,) = await sandbox.bot.get_updates()
    assert update.message is not None
    assert update.message.video is not None
    file = await update.message.video.get_file()
    assert file.file_path is not None
    assert Path(file.file_path).is_absolute()
    assert size_of(Path(file.file_path)) == CLOUD_DOWNLOAD_BYTES + 1
    relative = Path(file.file_path).relative_to(sandbox.world.files.directory)
    assert (await sandbox.http.get(f"/file/bot{DEFAULT_TOKEN}/{relative}")).status_code == 404

    sent = await sandbox.bot.send_video(ada.id, clip, width=64, height=48, duration=2)
    assert sent.video is not None
    assert sent.video.file_name == "clip.mp4"
    (call,) = await sandbox.people.calls("sendVideo")
    assert call["params"]["video"] == clip.as_uri()
    info = await sandbox.people.ask("file_info", file_id=sent.video.file_id)
    stored = sandbox.world.files.find(sent.video.file_id, 0)
    assert info["size"] == len(clip_data)
    assert is_same(stored.path, clip)
    assert not (await sandbox.call("sendVideo", chat_id=ada.id, video="file:///no/such/file.mp4"))["ok"]


async def test_a_local_path_means_nothing_to_the_cloud(sandbox: Sandbox, clip: Path) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    words = await sandbox.refusal("sendVideo", chat_id=ada.id, video=clip.as_uri())
    assert words.startswith("Bad Request: wrong remote file identifier specified")


async def test_links_are_fetched_by_the_server(
    sandbox: Sandbox, clip: Path, clip_data: bytes, large: Path
) -> None:
    ada = await sandbox.people.person()
    await ada.open()

    async def page(request: Request) -> Response:
        return Response("<html>", media_type="text/html")

    async def file(request: Request) -> Response:
        return FileResponse(clip if request.url.path == "/clip.mp4" else large)

    routes = [Route("/page", page), Route("/{name}", file)]
    async with serve(Starlette(routes=routes)) as url:
        sent = await sandbox.bot.send_video(ada.id, f"{url}/clip.mp4")
        assert sent.video is not None
        assert await sandbox.people.download(sent.video.file_id) == clip_data
        words = await sandbox.refusal("sendVideo", chat_id=ada.id, video=f"{url}/large.mp4")
        assert words == "Bad Request: failed to get HTTP URL content"
        words = await sandbox.refusal("sendVideo", chat_id=ada.id, video=f"{url}/page")
        assert words == "Bad Request: wrong type of the web page content"


async def test_a_large_video_is_believed_a_small_one_looked_into(
    sandbox: Sandbox, clip: Path, tmp_path: Path, picture: Path, clip_data: bytes
) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    small = await sandbox.bot.send_video(ada.id, clip)
    assert small.video is not None
    assert small.video.thumbnail is not None
    assert (small.video.width, small.video.height) == (64, 48)
    large = tmp_path / "large.mp4"
    large.write_bytes(clip_data)
    with large.open("ab") as handle:
        handle.truncate(11 * 1024 * 1024)
    # A PNG of 1000 pixels is no thumbnail to Telegram.
    sent = await sandbox.bot.send_video(ada.id, large, thumbnail=picture)
    assert sent.video is not None
    assert sent.video.thumbnail is None
    assert (sent.video.width, sent.video.height) == (0, 0)


async def test_logging_out_of_the_cloud(sandbox: Sandbox) -> None:
    assert await sandbox.bot.log_out()
    assert await sandbox.refusal("getMe") == "Logged out"
