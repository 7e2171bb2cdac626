import asyncio
import io
import shutil
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from bot.chats.key import ChatKey
from bot.jobs.checkpoints import MessageSend
from bot.jobs.next_steps import next_buttons
from bot.jobs.ports import ChatGone, FileGone, Result
from bot.runtime.arriving_file import ArrivingFile, ArrivingReader, NeverArrived
from bot.sandbox.botapi.client import Person
from bot.sandbox.samples import make_video, pad
from bot.telegram.sending.delivery import DeliveryOptions, ResultSender
from bot.telegram.sending.send_once import JobSender
from tests.clocks import passing
from tests.media.test_shrink import noise
from tests.media.test_video_facts import frame_of
from tests.media.test_video_facts import make_video as made_of
from tests.telegram.conftest import Notebook, Start, Telegram, a_result


async def never() -> None:
    raise AssertionError("the answer is whole under the result")


async def deliver(
    telegram: Telegram,
    ada: Person,
    result: Result,
    *,
    checkpoints: Notebook | None = None,
    by: DeliveryOptions | None = None,
) -> str:
    job = telegram.job(ada.chat.id, 1)
    work = ResultSender(
        by or telegram.delivery(),
        JobSender(job, checkpoints or Notebook(), telegram.telegram_calls, telegram.sent),
        "delivered",
        result,
        report_progress=lambda _: None,
        send_answer=never,
    ).run()
    return (await passing(telegram.clock, work)).file_id


def in_full_colour(path: Path) -> Path:
    """H.264 with a colour for each pixel, which phones don't play."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv444p"
        for _ in range(10):
            out.mux(stream.encode(frame_of(Image.new("RGB", (160, 90), "teal"))))
        out.mux(stream.encode())
    return path


async def ada_of(telegram: Telegram) -> Person:
    ada = await telegram.people.person()
    await ada.start()
    return ada


def result_of(path: Path, **fields: Any) -> Result:
    return a_result(path, size_bytes=path.stat().st_size, took_s=75, **fields)


@pytest.mark.parametrize("local", [False, True])
async def test_a_video_goes_with_all_that_telegram_wants_to_know(
    start: Start, clip: Path, clip_bytes: bytes, local: bool
) -> None:
    telegram = await start(local=local)
    ada = await ada_of(telegram)
    file_id = await deliver(telegram, ada, result_of(clip))
    seen = await ada.chat.wait(kind="video")
    video = seen.json["video"]
    assert (video["width"], video["height"], video["duration"]) == (160, 90, 2)
    assert "reply_to_message" not in seen.json  # Nothing came in between.
    assert "2 s" in seen.text
    assert "1 min 15 s" in seen.text
    picture = Image.open(io.BytesIO(await telegram.people.download(video["thumbnail"]["file_id"])))
    assert picture.format == "JPEG"
    assert max(picture.size) <= 320
    assert await telegram.people.download(file_id) == clip_bytes
    (call,) = await telegram.people.calls("sendVideo")
    assert call["result"]["video"]["file_id"] == file_id
    assert call["params"]["supports_streaming"] in ("true", True)
    cover = Image.open(io.BytesIO(await telegram.people.download(video["cover"][-1]["file_id"])))
    assert cover.size == (160, 90)
    assert ("file://" in str(call["params"]["video"])) is local


class Growing(ArrivingFile):
    """A file whose rest comes when somebody waits for it, or never does."""

    def __init__(self, whole: Path, here_bytes: int, *, comes: bool = True) -> None:
        super().__init__(whole.with_suffix(".part"), whole.with_suffix(".fetched"), whole.stat().st_size)
        content = whole.read_bytes()
        self.path.write_bytes(content[:here_bytes])
        self.add(here_bytes)
        self.was_read_early = False
        self._rest = content[here_bytes:] if comes else b""

    def _come(self) -> None:
        with self.path.open("ab") as file:
            file.write(self._rest)
        self.add(len(self._rest))
        self._rest = b""
        shutil.copy(self.path, self.whole_path)
        self.end()

    async def wait_for(self, size_bytes: int) -> None:
        self._come()
        await super().wait_for(size_bytes)

    async def wait_for_end(self) -> None:
        self._come()
        await super().wait_for_end()

    def open(self) -> ArrivingReader:
        self.was_read_early = bool(self._rest)
        return super().open()


def padded(path: Path, clip: Path) -> Path:
    """A clip with much at its end that no player needs."""
    shutil.copy(clip, path)
    pad(path, 3_000_000)
    return path


async def test_a_video_that_broke_off_before_its_turn_to_be_sent_is_not_sent(
    telegram: Telegram, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, whole = await ada_of(telegram), padded(tmp_path / "whole.mp4", clip)
    arriving = Growing(whole, 1_000_000, comes=False)
    acquire = telegram.telegram_calls.rate_limiter.acquire

    async def acquire_late(*args: Any) -> Any:
        arriving.end()
        arriving.path.unlink()
        return await acquire(*args)

    monkeypatch.setattr(telegram.telegram_calls.rate_limiter, "acquire", acquire_late)
    with pytest.raises(NeverArrived):
        await deliver(
            telegram, ada, a_result(arriving.whole_path, arriving=arriving, size_bytes=arriving.size_bytes)
        )


async def test_a_video_is_sent_while_it_arrives(telegram: Telegram, clip: Path, tmp_path: Path) -> None:
    ada, whole = await ada_of(telegram), padded(tmp_path / "whole.mp4", clip)
    arriving = Growing(whole, 1_000_000)

    file_id = await deliver(
        telegram, ada, a_result(arriving.whole_path, arriving=arriving, size_bytes=arriving.size_bytes)
    )

    assert arriving.was_read_early
    video = (await ada.chat.wait(kind="video")).json["video"]
    assert (video["width"], video["height"], video["file_size"]) == (160, 90, 3_000_000)
    assert "cover" in video
    assert await telegram.people.download(file_id) == whole.read_bytes()


async def test_a_video_whose_index_comes_last_is_sent_once_it_is_whole(
    telegram: Telegram, tmp_path: Path
) -> None:
    ada, whole = await ada_of(telegram), make_video(tmp_path / "whole.mp4", 2, 160, 90, 10, moov="end")
    arriving = Growing(whole, 2000)

    file_id = await deliver(
        telegram, ada, a_result(arriving.whole_path, arriving=arriving, size_bytes=arriving.size_bytes)
    )

    assert not arriving.was_read_early
    assert await telegram.people.download(file_id) == whole.read_bytes()


async def test_a_video_that_breaks_off_is_not_sent_and_not_looked_for(
    telegram: Telegram, clip: Path, tmp_path: Path
) -> None:
    ada, checkpoints = await ada_of(telegram), Notebook()
    arriving = Growing(padded(tmp_path / "whole.mp4", clip), 1_000_000, comes=False)
    result = a_result(arriving.whole_path, arriving=arriving, size_bytes=arriving.size_bytes)

    with pytest.raises(NeverArrived):
        await deliver(telegram, ada, result, checkpoints=checkpoints)

    assert await telegram.people.calls("sendVideo") == []
    assert checkpoints.load(MessageSend, "delivered") is None


async def test_a_turned_video_is_told_as_it_is_shown(telegram: Telegram, tmp_path: Path) -> None:
    ada = await ada_of(telegram)
    await deliver(telegram, ada, result_of(make_video(tmp_path / "up.mp4", 1, 160, 90, 10, rotation=90)))
    video = (await ada.chat.wait(kind="video")).json["video"]
    assert (video["width"], video["height"]) == (90, 160)


async def test_no_clip_is_so_short_that_it_lasts_no_time(telegram: Telegram, tmp_path: Path) -> None:
    ada = await ada_of(telegram)
    await deliver(telegram, ada, result_of(make_video(tmp_path / "short.mp4", 0.3, 160, 90, 10)))
    seen = await ada.chat.wait(kind="video")
    assert seen.json["video"]["duration"] == 1
    assert "1 s" in seen.text
    assert "0 s" not in seen.text


async def test_what_can_not_be_played_goes_as_a_document(telegram: Telegram, tmp_path: Path) -> None:
    ada = await ada_of(telegram)
    broken, content = tmp_path / "broken.mp4", b"\x00\x00\x00\x18ftypisom" + b"x" * 2000
    await asyncio.to_thread(broken.write_bytes, content)
    file_id = await deliver(telegram, ada, result_of(broken, duration_s=3.0))
    assert (await ada.chat.wait(kind="document")).json["document"]["file_name"].endswith(".mp4")
    assert await telegram.people.download(file_id) == content


async def test_what_telegram_refuses_as_a_video_goes_as_a_file_once(telegram: Telegram, clip: Path) -> None:
    ada, checkpoints = await ada_of(telegram), Notebook()
    await telegram.people.faults.error(
        "sendVideo", code=400, description="Bad Request: VIDEO_CONTENT_TYPE_INVALID", times=1
    )
    file_id = await deliver(telegram, ada, result_of(clip), checkpoints=checkpoints)
    await ada.chat.wait(kind="document")
    # An attempt that died before it could say so finds the file, though the video would be taken by now.
    assert await deliver(telegram, ada, result_of(clip), checkpoints=checkpoints) == file_id
    (call,) = await telegram.people.calls("sendDocument")
    assert call["result"]["document"]["file_id"] == file_id
    assert len(await telegram.people.calls("sendVideo")) == 1


async def test_a_file_that_telegram_refuses_is_sent_once(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    await telegram.people.faults.error(
        "sendDocument", code=400, description="Bad Request: file must be non-empty", times=None
    )
    assert await deliver(telegram, ada, result_of(clip, as_file=True)) == ""
    assert len(await telegram.people.calls("sendDocument")) == 1
    kept = await ada.chat.wait(contains="kept in your project")
    assert kept.buttons == ["🎬 Export"]


TOO_LARGE: dict[str, Any] = {"code": 413, "description": "Request Entity Too Large", "times": None}


async def test_a_file_that_is_too_large_for_the_server_is_uploaded_once(
    telegram: Telegram, clip: Path
) -> None:
    ada, checkpoints = await ada_of(telegram), Notebook()
    await telegram.people.faults.error("sendVideo", "sendDocument", **TOO_LARGE)
    result = result_of(clip, spare_link="https://cdn.example.com/a.mp4")
    for _ in range(2):
        assert await deliver(telegram, ada, result, checkpoints=checkpoints) == ""
    message = await ada.chat.wait(contains="Download it")
    assert message.buttons
    assert len(await telegram.people.calls("sendVideo")) == 1
    assert await telegram.people.calls("sendDocument") == []
    assert len(await telegram.people.calls("sendMessage")) == 1


LIMIT = 1_500_000
FULL = "https://cdn.example.com/full.mp4"


@pytest.fixture(scope="session")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("media") / "large.mp4", 6)


@pytest.fixture
def large(noisy: Path, tmp_path: Path) -> Path:
    """A video of over 3 MB, larger than the limit; its smaller version lies beside it, so each test has its own."""
    return Path(shutil.copy(noisy, tmp_path / "large.mp4"))


async def test_a_video_over_the_limit_comes_smaller_with_a_link_to_the_full_one(
    telegram: Telegram, large: Path
) -> None:
    ada, checkpoints = await ada_of(telegram), Notebook()
    for _ in range(2):
        result = result_of(large, spare_link=FULL)
        # It is no result to be sent again for the same draft.
        assert (
            await deliver(telegram, ada, result, checkpoints=checkpoints, by=telegram.delivery(LIMIT)) == ""
        )
    (call,) = await telegram.people.calls("sendVideo")
    seen = await ada.chat.wait(kind="video")
    assert seen.json["video"]["file_size"] <= LIMIT
    assert call["params"]["supports_streaming"] in ("true", True)
    assert "a smaller version" in seen.text
    assert seen.json["reply_markup"]["inline_keyboard"][0][0]["url"] == FULL


async def test_a_chat_that_wants_no_smaller_version_gets_the_link(telegram: Telegram, large: Path) -> None:
    ada = await ada_of(telegram)
    result = result_of(large, spare_link=FULL, may_shrink=False)
    await deliver(telegram, ada, result, by=telegram.delivery(LIMIT))
    assert (await ada.chat.wait(contains="take it from here")).buttons
    assert await telegram.people.calls("sendVideo") == []


async def test_a_server_that_takes_less_than_it_should_gets_a_smaller_version(
    telegram: Telegram, large: Path
) -> None:
    ada, checkpoints = await ada_of(telegram), Notebook()
    await telegram.people.faults.error("sendVideo", "sendDocument", **TOO_LARGE | {"times": 1})
    result = result_of(large, spare_link=FULL)
    await deliver(telegram, ada, result, checkpoints=checkpoints)
    seen = await ada.chat.wait(kind="video")
    assert seen.json["video"]["file_size"] <= (result.exported.size_bytes or 0) / 2
    assert len(await telegram.people.calls("sendVideo")) == 2


@pytest.mark.parametrize("link", [FULL, "http://10.0.0.1/full.mp4"])
async def test_what_can_not_be_shrunk_comes_as_a_link_or_is_kept(
    telegram: Telegram, tmp_path: Path, link: str
) -> None:
    ada = await ada_of(telegram)
    broken = tmp_path / "broken.mp4"
    await asyncio.to_thread(broken.write_bytes, bytes(2 * LIMIT))
    await deliver(telegram, ada, result_of(broken, spare_link=link), by=telegram.delivery(LIMIT))
    (message,) = await ada.chat.messages(from_bots=True)
    assert message.buttons == ["⬇️ Download" if link == FULL else "🎬 Export"]
    assert await telegram.people.calls("sendVideo", "sendDocument") == []


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL",
        "Bad Request: message thread not found",
        "Bad Request: message to be replied not found",
    ],
)
async def test_a_video_goes_without_what_telegram_refuses(
    telegram: Telegram, clip: Path, clip_bytes: bytes, description: str
) -> None:
    ada = await ada_of(telegram)
    await telegram.sent.record(ada.chat.id, 2, ChatKey(ada.chat.id))  # So the request is quoted.
    await telegram.people.faults.error("sendVideo", code=400, description=description)
    file_id = await deliver(telegram, ada, result_of(clip, browser_link="https://example.com/"))
    assert await telegram.people.download(file_id) == clip_bytes
    assert len(await telegram.people.calls("sendVideo")) == 2


async def test_the_browser_button_comes_last(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    steps = next_buttons(["add_title", "calm_music"])
    await deliver(telegram, ada, result_of(clip, browser_link="https://example.com/", buttons=steps))
    labels = (await ada.chat.wait(kind="video")).buttons
    assert labels == ["🔤 Add a title", "🎵 Add calm music", "🔗 Open in browser"]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("sound", [False, True])
async def test_a_video_goes_as_a_file_when_that_is_wanted(
    start: Start, tmp_path: Path, local: bool, sound: bool
) -> None:
    telegram = await start(local=local)
    ada = await ada_of(telegram)
    clip = make_video(tmp_path / "clip.mp4", 1, 160, 90, 10, audio=sound)
    file_id = await deliver(telegram, ada, result_of(clip, as_file=True))
    seen = await ada.chat.wait(kind="document")
    assert not {"video", "animation"} & set(seen.json)
    assert "1 s" in seen.text
    assert "thumbnail" in seen.json["document"]
    assert await telegram.people.download(file_id) == await asyncio.to_thread(clip.read_bytes)
    await deliver(telegram, ada, a_result(file_id=file_id, kind="document", as_file=True, took_s=1))
    assert len(await ada.chat.messages(kind="document")) == 2


@pytest.mark.parametrize("name", ["high.mp4", "clip.mkv", "clip.webm"])
async def test_what_not_every_client_plays_goes_as_a_file(
    telegram: Telegram, tmp_path: Path, name: str
) -> None:
    ada = await ada_of(telegram)
    made = in_full_colour(tmp_path / name) if name == "high.mp4" else make_video(tmp_path / name, 1, 160, 90)
    await deliver(telegram, ada, result_of(made))
    assert (await ada.chat.wait(kind="document")).text.startswith("🎬 1 s")


async def test_a_video_that_has_to_be_loaded_whole_is_not_said_to_stream(
    telegram: Telegram, tmp_path: Path
) -> None:
    ada = await ada_of(telegram)
    await deliver(telegram, ada, result_of(make_video(tmp_path / "a.mp4", 1, 160, 90, 10, moov="end")))
    (call,) = await telegram.people.calls("sendVideo")
    assert call["params"].get("supports_streaming") in (None, "false", False)


async def test_a_video_all_black_goes_without_a_cover(telegram: Telegram, tmp_path: Path) -> None:
    ada = await ada_of(telegram)
    path = made_of(tmp_path / "a.mp4", [Image.new("RGB", (160, 90), "black")] * 8)
    await deliver(telegram, ada, result_of(path))
    (call,) = await telegram.people.calls("sendVideo")
    assert not {"cover", "thumbnail"} & set(call["params"])
    assert (await ada.chat.wait(kind="video")).json["video"]["width"] == 160


async def test_what_went_as_a_file_goes_as_a_file_again(telegram: Telegram, tmp_path: Path) -> None:
    ada = await ada_of(telegram)
    broken = tmp_path / "broken.mp4"
    await asyncio.to_thread(broken.write_bytes, b"no video at all")

    file_id = await deliver(telegram, ada, result_of(broken, duration_s=3.0))
    await deliver(telegram, ada, a_result(file_id=file_id, kind="document", took_s=1))

    calls = await telegram.people.calls("sendDocument")
    assert [call["state"] for call in calls] == ["ok", "ok"]
    assert calls[-1]["params"]["document"] == file_id


async def test_what_is_too_large_goes_as_a_link_that_says_why(telegram: Telegram) -> None:
    ada = await ada_of(telegram)
    link = "https://cdn.example.com/x.mp4?a=1&b=<2>"
    assert await deliver(telegram, ada, a_result(link=link, size_bytes=60 * 1024**2, took_s=5)) == ""
    seen = await ada.chat.wait(matching="50 MB")
    assert "60 MB" in seen.text
    assert seen.json["reply_markup"]["inline_keyboard"][0][0]["url"].startswith(
        "https://cdn.example.com/x.mp4"
    )


@pytest.mark.parametrize(
    ("browser_link", "count"),
    [
        ("https://app.example.com/p/1", 1),
        ("https://app.example.com/p/2", 2),
    ],
)
async def test_a_link_that_takes_the_videos_place_has_one_button(
    telegram: Telegram, browser_link: str, count: int
) -> None:
    ada = await ada_of(telegram)
    result = a_result(
        link="https://app.example.com/p/1", browser_link=browser_link, size_bytes=60 * 1024**2, took_s=5
    )
    await deliver(telegram, ada, result)
    seen = await ada.chat.wait(matching="50 MB")
    buttons = [button for row in seen.json["reply_markup"]["inline_keyboard"] for button in row]
    assert len(buttons) == count
    assert len({button["url"] for button in buttons}) == len(buttons)


async def test_a_video_that_telegram_postpones_is_sent_whole_afterwards(
    telegram: Telegram, clip: Path, clip_bytes: bytes
) -> None:
    ada = await ada_of(telegram)
    await telegram.people.faults.error(
        "sendVideo", code=429, description="Too Many Requests: retry after 7", retry_after=7
    )
    file_id = await deliver(telegram, ada, result_of(clip))
    assert len(await telegram.people.calls("sendVideo")) == 2
    assert await telegram.people.download(file_id) == clip_bytes


async def test_the_same_draft_goes_again_without_its_bytes(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    file_id = await deliver(telegram, ada, result_of(clip))
    assert await deliver(telegram, ada, a_result(file_id=file_id, took_s=1)) == file_id
    assert len(await ada.chat.messages(kind="video")) == 2
    assert (await telegram.people.calls("sendVideo"))[-1]["params"]["video"] == file_id


async def test_a_handle_that_telegram_forgot_is_told(telegram: Telegram) -> None:
    ada = await ada_of(telegram)
    with pytest.raises(FileGone):
        await deliver(telegram, ada, a_result(file_id="BAADforgotten"))


@pytest.mark.parametrize(("when", "sends"), [("after", 1), ("before", 2)])
async def test_a_lost_answer_does_not_double_the_video(
    telegram: Telegram, clip: Path, when: Any, sends: int
) -> None:
    ada = await ada_of(telegram)
    await telegram.people.faults.drop("sendVideo", when=when)
    checkpoints = Notebook()
    await deliver(telegram, ada, result_of(clip), checkpoints=checkpoints)
    assert len(await ada.chat.messages(kind="video")) == 1
    assert len(await telegram.people.calls("sendVideo")) == sends
    await deliver(telegram, ada, result_of(clip), checkpoints=checkpoints)
    assert len(await telegram.people.calls("sendVideo")) == sends


async def test_a_chat_that_is_gone(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    await ada.block()
    with pytest.raises(ChatGone):
        await deliver(telegram, ada, result_of(clip))
