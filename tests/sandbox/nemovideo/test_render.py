import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from bot.sandbox.nemovideo import paint, render
from bot.sandbox.nemovideo.app import create_app
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.encode import Spec, encode
from bot.sandbox.samples import make_audio, make_photo, make_video
from bot.web.serve import serve
from tests.clocks import PATIENCE_S, eventually
from tests.sandbox.nemovideo.caller import RENDER, Caller
from tests.sandbox.nemovideo.conftest import FAST


async def finished(caller: Caller, nemo: NemoControl, render_id: str = "render_1") -> dict[str, Any]:
    await nemo.wait(
        "renders", match={"id": render_id, "status": ["completed", "failed"]}, timeout_s=PATIENCE_S
    )
    data: dict[str, Any] = (await caller.render_status(render_id))["data"]
    return data


async def rendered(caller: Caller, nemo: NemoControl, to: Path, render_id: str = "render_1") -> Path:
    answer = await caller.start_render(render_id)
    assert answer.json()["success"], answer.text
    data = await finished(caller, nemo, render_id)
    assert data["status"] == "completed", data
    fetched = await caller.http.get(data["output"]["url"], headers={"Authorization": ""})
    assert int(fetched.headers["content-length"]) == data["output"]["size"] == len(fetched.content)
    to.write_bytes(fetched.content)  # noqa: ASYNC240 - nothing else runs in a test's loop
    return to


def loudness(path: Path) -> int:
    with av.open(path) as file:
        return max(
            abs(value)
            for frame in file.decode(audio=0)
            for piece in av.AudioResampler("s16", "mono").resample(frame)
            for value in memoryview(bytes(piece.planes[0])).cast("h")
        )


def colour(path: Path, index: int = 0) -> tuple[int, int, int]:
    """The mean colour of a frame."""
    with av.open(path) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number == index:
                pixel = frame.to_image().resize((1, 1)).getpixel((0, 0))  # type: ignore[no-untyped-call]
                assert isinstance(pixel, tuple)
                return pixel[0], pixel[1], pixel[2]
    raise AssertionError("too short")


async def test_an_uploaded_clip_comes_back_edited(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 3, colour="red"))
    await caller.say('trim to 2 seconds and add a title "Hello" with calm music')
    path = await rendered(caller, nemo, tmp_path / "out.mp4")
    with av.open(path) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.codec_context.pix_fmt == "yuv420p"
        assert (video.width, video.height) == (320, 180)
        assert file.duration == pytest.approx(2_000_000, abs=60_000)
        assert sum(1 for _ in file.decode(video)) == 2 * render.MAX_FPS
    assert colour(path)[0] > 150
    assert loudness(path) > 3000
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_title_grows_in_a_small_picture_too() -> None:
    def white(scale: float) -> int:
        picture = Image.new("RGB", (160, 90))
        paint.title(picture, "Sea", scale)
        return sum(picture.convert("L").histogram()[200:])

    assert white(0.7) < white(1.0) < white(1.4)


async def test_words_alone_become_a_video(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    await caller.say("Make a 2-second video of a red fox in the snow")
    path = await rendered(caller, nemo, tmp_path / "out.mp4")
    with av.open(path) as file:
        assert file.duration == pytest.approx(2_000_000, abs=60_000)
        assert (file.streams.video[0].width, file.streams.video[0].height) == (640, 360)
        assert file.streams.audio
    assert max(colour(path)) > 60
    assert colour(path) != colour(path, render.MAX_FPS), "it moves"
    state = await caller.state()
    clip = await caller.http.get(state["generated_media"][0]["url"])
    assert clip.status_code == 200
    assert b"moov" in clip.content


async def test_each_kind_of_media_is_seen_or_heard(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    tall = make_video(tmp_path / "tall.mov", 1, rotation=90, colour="blue", audio=False)
    uploaded = await caller.upload(
        tall, make_photo(tmp_path / "p.png", colour="lime"), make_audio(tmp_path / "s.mp3")
    )
    assert [item["file_type"] for item in uploaded["data"]["files"]] == ["video", "image", "audio"]
    path = await rendered(caller, nemo, tmp_path / "out.mp4")
    with av.open(path) as file:
        assert (file.streams.video[0].width, file.streams.video[0].height) == (180, 320)
        assert file.duration == pytest.approx(4_000_000, abs=60_000)
    blue, lime = colour(path, 2), colour(path, 2 * render.MAX_FPS)
    assert blue[2] > blue[1]
    assert lime[1] > lime[2]
    assert loudness(path) > 3000


async def test_speed_background_and_volume_show(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    await caller.upload(make_video(tmp_path / "a.mp4", 2, colour="red"))
    plain = await rendered(caller, nemo, tmp_path / "plain.mp4", "render_plain")
    await caller.say("make it 2x faster, change the background to a green beach")
    await caller.say("mute it")
    path = await rendered(caller, nemo, tmp_path / "out.mp4", "render_edited")
    with av.open(path) as file:
        assert file.duration == pytest.approx(1_000_000, abs=60_000)
    assert loudness(plain) > 3000
    assert loudness(path) < 50
    assert colour(path) != colour(plain)


async def test_trimming_keeps_the_right_part(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    await caller.upload(
        make_video(tmp_path / "a.mp4", 1, colour="red"), make_video(tmp_path / "b.mp4", 1, colour="blue")
    )
    await caller.say("cut the first 1 second")
    first = colour(await rendered(caller, nemo, tmp_path / "out.mp4"))
    assert first[2] > first[0]


async def test_asking_again_finds_the_same_render(caller: Caller, nemo: NemoControl, tmp_path: Path) -> None:
    await caller.say("make a 1 second clip of rain")
    first, second = await caller.start_render(), await caller.start_render()
    assert first.json()["data"]["id"] == second.json()["data"]["id"] == "render_1"
    await finished(caller, nemo)
    (made,) = await nemo.renders()
    assert (made.posts, made.status) == (2, "completed")
    assert made.draft == (await caller.state())["draft"]


async def test_progress_goes_from_pending_to_completed(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(pace={"render_s": 0.6})
    await caller.say("make a 1 second clip of rain")
    assert (await caller.start_render()).json()["data"]["status"] in ("pending", "processing")
    await nemo.wait("renders", match={"status": "processing", "progress": list(range(20, 95))})
    assert 0 < (await caller.render_status())["data"]["progress"] < 100
    assert (await finished(caller, nemo))["progress"] == 100


async def test_a_slow_render_can_be_cancelled(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(pace={"render_s": 1000})
    await caller.say("make a 1 second clip of rain")
    await caller.start_render()
    cancelled = await caller.http.post(f"{RENDER}/render_1/cancel")
    assert cancelled.json()["data"]["status"] == "failed"
    assert (await caller.render_status())["data"]["error"] == "Render cancelled"


@pytest.mark.parametrize(("fails", "statuses"), [(1, ["failed", "completed"]), (-1, ["failed", "failed"])])
async def test_renders_fail_once_or_always(
    caller: Caller, nemo: NemoControl, fails: int, statuses: list[str]
) -> None:
    await nemo.set(render_fails=fails, render_error="out of memory")
    await caller.say("make a 1 second clip of rain")
    seen = []
    for render_id in ("render_a", "render_b"):
        await caller.start_render(render_id)
        data = await finished(caller, nemo, render_id)
        seen.append(data["status"])
        assert data.get("error") == ("out of memory" if data["status"] == "failed" else None)
    assert seen == statuses


@pytest.mark.parametrize(
    ("envelope", "link"), [("success", "output.url"), ("data", "outputUrl"), ("top", "output.url")]
)
async def test_both_envelopes_and_both_links(
    caller: Caller, nemo: NemoControl, envelope: str, link: str
) -> None:
    await nemo.set(render_envelope=envelope, render_link=link)
    await caller.say("make a 1 second clip of rain")
    await caller.start_render()
    await nemo.wait("renders", match={"status": "completed"}, timeout_s=PATIENCE_S)
    answer = await caller.render_status()
    assert (answer.get("success"), answer.get("code")) == {
        "success": (True, None),
        "data": (None, 0),
        "top": (None, None),
    }[envelope]
    data = answer if envelope == "top" else answer["data"]
    url = data["output"]["url"] if link == "output.url" else data["outputUrl"]
    assert (await caller.http.head(url)).status_code == 200


async def test_a_lost_link_leaves_the_download(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(media_missing=True, moov="end")
    await caller.say("make a 1 second clip of rain")
    await caller.start_render()
    data = await finished(caller, nemo)
    assert (await caller.http.get(data["output"]["url"])).status_code == 404
    answer = await caller.http.get("/api/render/proxy/render_1/download")
    assert answer.status_code == 200
    assert answer.content.index(b"moov") > answer.content.index(b"mdat")
    assert (
        await caller.http.get("/api/render/proxy/render_1/download", headers={"Authorization": ""})
    ).status_code == 401


@pytest.mark.parametrize("header", ["X-Skill-Source", "X-Skill-Version", "X-Skill-Platform"])
async def test_a_missing_attribution_header_is_402(caller: Caller, header: str) -> None:
    del caller.http.headers[header]
    assert (await caller.start_render()).status_code == 402


async def test_a_plan_without_export_is_402(caller: Caller, nemo: NemoControl) -> None:
    (account,) = await nemo.accounts()
    await nemo.change_account(account.user_id, may_render=False)
    assert (await caller.start_render()).status_code == 402


async def test_an_empty_draft_fails_and_unknown_ids_are_404(caller: Caller, nemo: NemoControl) -> None:
    await caller.start_render()
    assert (await finished(caller, nemo))["error"] == "The draft has no segments"
    assert (await caller.http.get(f"{RENDER}/nope")).status_code == 404
    assert (await caller.http.get("/api/render/proxy/render_1/download")).status_code == 404


@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_no_encoder_stays_behind(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running = 0

    def counted(spec: Spec, progress: Callable[[int], None]) -> None:
        nonlocal running
        running += 1
        try:
            encode(spec, progress)
        finally:
            running -= 1

    monkeypatch.setattr(render, "encode", counted)
    async with serve(create_app(tmp_path, pace=FAST)) as url, NemoControl(url) as nemo:
        account = await nemo.add_account()
        async with Caller(url, account.token) as caller:
            await caller.open_session()
            await caller.say("make a 60 second clip of rain")
            await caller.start_render()
            await nemo.wait("renders", match={"progress": list(range(1, 50))}, timeout_s=PATIENCE_S)
            assert running == 1
            if how == "cancel":
                await caller.http.post(f"{RENDER}/render_1/cancel")
                await nemo.wait("renders", match={"status": "failed"})
    assert running == 0


async def test_the_server_answers_while_it_renders(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def held(spec: Spec, progress: Callable[[int], None]) -> None:
        begun.set()
        may_end.wait(PATIENCE_S)
        encode(spec, progress)

    monkeypatch.setattr(render, "encode", held)
    await caller.say("make a 20 second clip of rain")
    await caller.start_render()
    await eventually(begun.is_set)
    for _ in range(5):
        await caller.credits()
    assert (await caller.render_status())["data"]["status"] == "processing"
    may_end.set()
