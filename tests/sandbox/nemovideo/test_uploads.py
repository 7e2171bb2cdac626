import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.samples import make_audio, make_photo, make_video
from bot.web.serve import serve
from tests.sandbox.nemovideo.caller import Caller


async def test_a_file_is_looked_into_and_lands_on_the_timeline(
    caller: Caller, nemo: NemoControl, tmp_path: Path
) -> None:
    path = make_video(tmp_path / "上海 trip.mp4", 2, 320, 180, 30)
    data = (await caller.upload(path))["data"]
    assert data["session_state_applied"] is True
    (entry,) = data["files"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry["duration"] == pytest.approx(2, abs=0.1)
    assert {key: entry[key] for key in ("filename", "file_type", "width", "height", "fps", "hash")} == {
        "filename": "上海 trip.mp4",
        "file_type": "video",
        "width": 320,
        "height": 180,
        "fps": 30.0,
        "hash": digest,
    }
    assert (await caller.http.get(entry["cdn_url"])).content == path.read_bytes()
    state = await caller.state()
    assert state["video_infos"] == [entry]
    assert state["canvas_config"] == {"width": 320, "height": 180, "fps": 24}
    (track,) = state["draft"]["t"]
    assert (track["tt"], len(track["sg"])) == (0, 1)
    assert track["sg"][0]["media_url"] == entry["cdn_url"]
    (seen,) = await nemo.uploads()
    assert (seen.name, seen.sha256, seen.size_bytes) == (path.name, digest, path.stat().st_size)
    assert (seen.content_type, seen.session_id) == ("application/octet-stream", caller.session_id)


async def test_a_phone_s_video_is_measured_as_it_is_shown(caller: Caller, tmp_path: Path) -> None:
    (entry,) = (await caller.upload(make_video(tmp_path / "a.mov", 1, rotation=90)))["data"]["files"]
    assert (entry["width"], entry["height"]) == (180, 320)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.avi", "a.webm", "a.mkv"])
async def test_every_video_kind_is_taken(caller: Caller, tmp_path: Path, name: str) -> None:
    assert (await caller.upload(make_video(tmp_path / name, 0.5)))["code"] == 0


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.webp"])
async def test_every_picture_kind_is_taken(caller: Caller, tmp_path: Path, name: str) -> None:
    (entry,) = (await caller.upload(make_photo(tmp_path / name, 64, 48)))["data"]["files"]
    assert (entry["file_type"], entry["width"], entry["duration"]) == ("image", 64, 0)


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.m4a", "a.aac"])
async def test_every_sound_kind_is_taken(caller: Caller, tmp_path: Path, name: str) -> None:
    (entry,) = (await caller.upload(make_audio(tmp_path / name, 1)))["data"]["files"]
    assert entry["file_type"] == "audio"


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b"words"), ("a.ogg", b"OggS"), ("a.mp4", b"not a video"), ("a.mp4", b"")]
)
async def test_what_is_not_taken_is_4001(caller: Caller, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert (await caller.upload(path))["code"] == 4001
    assert (await caller.state())["video_infos"] == []


async def test_what_is_too_large_is_4002(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 0.5, size_bytes=3_000_000)
    await nemo.set(upload_limit_bytes=2_999_999)
    assert (await caller.upload(path))["code"] == 4002
    await nemo.set(upload_limit_bytes=3_000_000)
    assert (await caller.upload(path))["code"] == 0


async def test_a_large_body_does_not_pile_up(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 0.5, size_bytes=150_000_000)
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
    tail = b"\r\n--b--\r\n"

    async def body() -> AsyncIterator[bytes]:
        yield head
        with path.open("rb") as file:
            while chunk := file.read(1 << 18):
                yield chunk
        yield tail

    headers = {
        "Content-Type": "multipart/form-data; boundary=b",
        "Content-Length": str(len(head) + 150_000_000 + len(tail)),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    url = f"/api/upload-video/nemo_agent/me/{caller.session_id}"
    answer = await caller.http.post(url, content=body(), headers=headers, timeout=60)
    assert answer.json()["code"] == 0
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 40_000
    assert (await nemo.uploads())[0].size_bytes == 150_000_000


async def test_a_link_is_fetched(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 1)
    app = Starlette(routes=[Route("/clip.mp4", lambda _: FileResponse(path))])
    async with serve(app) as elsewhere:
        body = {"urls": [f"{elsewhere}/clip.mp4"], "source_type": "url"}
        answer = await caller.http.post(f"/api/upload-video/nemo_agent/me/{caller.session_id}", json=body)
        assert answer.json()["data"]["files"][0]["filename"] == "clip.mp4"
        gone = {"urls": [f"{elsewhere}/gone.mp4"], "source_type": "url"}
        answer = await caller.http.post(f"/api/upload-video/nemo_agent/me/{caller.session_id}", json=gone)
        assert answer.status_code == 400
    assert [upload.source for upload in await nemo.uploads()] == ["url"]


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://example.org/a.mp4", "a.mp4"])
async def test_only_http_links_are_fetched(caller: Caller, address: str) -> None:
    body = {"urls": [address], "source_type": "url"}
    answer = await caller.http.post(f"/api/upload-video/nemo_agent/me/{caller.session_id}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


@pytest.mark.parametrize("body", [b"", b"--x\r\n"])
async def test_a_body_that_is_no_upload_is_400(caller: Caller, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    url = f"/api/upload-video/nemo_agent/me/{caller.session_id}"
    answer = await caller.http.post(url, content=body, headers=headers)
    assert answer.status_code == 400


async def test_a_newer_clip_waits_until_it_is_wanted(caller: Caller, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 1))
    await caller.upload(make_video(tmp_path / "b.mp4", 2))
    assert [len(track["sg"]) for track in (await caller.state())["draft"]["t"]] == [1]
    assert len((await caller.state())["video_infos"]) == 2
    await caller.say("add the new clip")
    assert [segment["name"] for segment in (await caller.state())["draft"]["t"][0]["sg"]] == [
        "a.mp4",
        "b.mp4",
    ]
    await caller.upload(make_video(tmp_path / "c.mp4", 2))
    await caller.say("trim to 1 second")
    assert [segment["name"] for segment in (await caller.state())["draft"]["t"][0]["sg"]] == ["c.mp4"]


async def test_uploads_run_side_by_side(caller: Caller, tmp_path: Path) -> None:
    paths = [make_video(tmp_path / f"{number}.mp4", 0.5) for number in range(8)]
    answers = await asyncio.gather(*(caller.upload(path) for path in paths))
    assert {answer["code"] for answer in answers} == {0}
    assert len((await caller.state())["video_infos"]) == 8


async def test_a_media_address_is_unguessable_and_takes_ranges(caller: Caller, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", 0.5)
    (entry,) = (await caller.upload(path))["data"]["files"]
    async with httpx.AsyncClient(trust_env=False) as http:
        part = await http.get(entry["cdn_url"], headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, path.read_bytes()[10:20])
        key = entry["cdn_url"].split("/media/")[1].split("/")[0]
        assert len(key) >= 22
        assert (await http.get(entry["cdn_url"].replace(key, "x" * len(key)))).status_code == 404
