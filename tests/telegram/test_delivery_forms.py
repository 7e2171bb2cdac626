"""What of a result is sent where its video isn't taken, or isn't whole yet."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.jobs.buttons import ShowMore
from bot.jobs.messages import AgentMessage, Button
from bot.jobs.ports import Result
from bot.media.shrink import CannotShrink
from bot.telegram.sending import delivery
from bot.telegram.sending.bot import BotRequest
from bot.telegram.sending.delivery import SEND_TIMEOUT_S, ResultSender
from bot.telegram.sending.send_once import JobSender
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram, a_result
from tests.telegram.test_delivery import FULL, TOO_LARGE, Growing, ada_of, deliver, padded, result_of

FORBIDDEN = "Bad Request: not enough rights to send videos to the chat"


def arriving_result(arriving: Growing, **fields: Any) -> Result:
    return a_result(arriving.whole_path, arriving=arriving, size_bytes=arriving.size_bytes, **fields)


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limits of the smaller versions that were made, of which two at a time would be too much."""
    limits: list[int] = []
    at_once = 0

    async def shrink(path: Path, target: Path, max_bytes: int, report: Callable[[float], None]) -> None:
        nonlocal at_once
        at_once += 1
        limits.append(max_bytes)
        if not await asyncio.to_thread(path.exists) or at_once > 1:
            raise CannotShrink("not whole, or too many")
        await asyncio.sleep(0)
        shutil.copy(path, target)
        at_once -= 1

    monkeypatch.setattr(delivery, "shrink_video", shrink)
    return limits


async def test_a_video_as_large_as_the_limit_is_sent(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    result = result_of(clip)
    await deliver(telegram, ada, result, by=telegram.delivery(result.exported.size_bytes or 0))
    await ada.chat.wait(kind="video")


async def test_a_video_that_is_refused_while_it_arrives_is_made_smaller_once_it_is_whole(
    telegram: Telegram, clip: Path, tmp_path: Path, shrunk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, arriving = await ada_of(telegram), Growing(padded(tmp_path / "whole.mp4", clip), 1_000_000)
    do_request, refused = BotRequest.do_request, list[str]()

    async def request(self: BotRequest, url: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        if url.endswith("sendVideo") and not refused:
            refused.append(url)
            return 413, b"<html>Request Entity Too Large</html>"  # As a proxy does by the announced length.
        return await do_request(self, url, *args, **kwargs)

    monkeypatch.setattr(BotRequest, "do_request", request)
    await deliver(telegram, ada, arriving_result(arriving, spare_link=FULL))
    assert "a smaller version" in (await ada.chat.wait(kind="video")).text
    assert shrunk == [1_500_000]


async def test_smaller_versions_are_made_one_at_a_time_and_each_once(
    telegram: Telegram, clip: Path, tmp_path: Path, shrunk: list[int]
) -> None:
    ada, limit = await ada_of(telegram), (result_of(clip).exported.size_bytes or 0) - 1
    by = telegram.delivery(limit)
    clips = [Path(shutil.copy(clip, tmp_path / f"{number}.mp4")) for number in range(2)]
    await asyncio.gather(*(deliver(telegram, ada, result_of(one), by=by) for one in clips))
    # Another attempt finds what the first has made.
    await deliver(telegram, ada, result_of(clips[0]), by=by)
    assert shrunk == [limit] * 2
    assert len(await ada.chat.messages(kind="video")) == 3


async def test_a_lost_answer_to_a_video_that_was_still_arriving_does_not_double_it(
    telegram: Telegram, clip: Path, tmp_path: Path
) -> None:
    ada, arriving = await ada_of(telegram), Growing(padded(tmp_path / "whole.mp4", clip), 1_000_000)
    await telegram.people.faults.drop("sendVideo", when="after")
    await deliver(telegram, ada, arriving_result(arriving))
    assert len(await ada.chat.messages(kind="video")) == 1


async def test_telegram_may_take_its_time_with_a_video(
    telegram: Telegram, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, timeouts, do_request = await ada_of(telegram), [], BotRequest.do_request

    async def request(self: BotRequest, url: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        if url.endswith("sendVideo"):
            timeouts.append(kwargs["read_timeout"])
        return await do_request(self, url, *args, **kwargs)

    monkeypatch.setattr(BotRequest, "do_request", request)
    await deliver(telegram, ada, result_of(clip))
    assert timeouts == [SEND_TIMEOUT_S]


async def test_what_telegram_has_as_a_file_comes_again_with_the_reason(
    telegram: Telegram, clip: Path
) -> None:
    ada = await ada_of(telegram)
    file_id = await deliver(telegram, ada, result_of(clip, as_file=True))
    await deliver(telegram, ada, a_result(file_id=file_id, kind="document", as_file=True, took_s=1))
    assert (await ada.chat.messages(kind="document"))[-1].text.startswith("Nothing has changed")


@pytest.mark.parametrize(
    ("over_bytes", "said"), [(0, "doesn't accept a file this large"), (1, "lets me send up to")]
)
async def test_a_limit_is_named_where_it_is_what_stands_in_the_way(
    telegram: Telegram, clip: Path, monkeypatch: pytest.MonkeyPatch, over_bytes: int, said: str
) -> None:
    ada, result = await ada_of(telegram), result_of(clip, spare_link=FULL)
    monkeypatch.setattr(delivery, "shrink_video", AsyncMock(side_effect=CannotShrink("any")))
    await telegram.people.faults.error("sendVideo", **TOO_LARGE)
    by = telegram.delivery((result.exported.size_bytes or 0) - over_bytes)
    await deliver(telegram, ada, result, by=by)
    assert said in (await ada.chat.wait(contains="Download it")).text


async def test_where_videos_are_forbidden_it_is_said_what_to_allow(telegram: Telegram, clip: Path) -> None:
    ada = await ada_of(telegram)
    for method in ("sendVideo", "sendDocument"):
        await telegram.people.faults.error(method, code=400, description=FORBIDDEN, times=None)
    await deliver(telegram, ada, result_of(clip))
    assert "Ask an admin to allow videos" in (await ada.chat.wait(contains="Your video is ready")).text


async def test_without_the_video_there_is_nothing_to_share_or_to_make_more_of(
    telegram: Telegram, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await ada_of(telegram)
    monkeypatch.setattr(type(telegram.bot), "supports_inline_queries", True)
    more = (Button("button.more", ShowMore("0123456789abcdef")),)
    for method in ("sendVideo", "sendDocument"):
        await telegram.people.faults.error(method, code=400, description=FORBIDDEN, times=None)
    await deliver(telegram, ada, result_of(clip, share="v1", buttons=more))
    assert (await ada.chat.wait(contains="Your video is ready")).buttons == ["🎬 Export"]


@pytest.mark.parametrize("has_inline_mode", [True, False])
async def test_a_video_is_shared_by_inline_mode_where_the_bot_has_it(
    telegram: Telegram, clip: Path, monkeypatch: pytest.MonkeyPatch, *, has_inline_mode: bool
) -> None:
    ada = await ada_of(telegram)
    monkeypatch.setattr(type(telegram.bot), "supports_inline_queries", has_inline_mode)
    await deliver(telegram, ada, result_of(clip, share="v1"))
    buttons = (await ada.chat.wait(kind="video")).buttons
    assert buttons == ["↗️ Share"] * has_inline_mode


async def test_an_answer_that_does_not_fit_under_a_video_comes_whole_before_it(
    telegram: Telegram, clip: Path
) -> None:
    ada, answers = await ada_of(telegram), []

    async def send_answer() -> None:
        answers.append(len(await ada.chat.messages(kind="video")))

    sender = JobSender(telegram.job(ada.chat.id, 1), Notebook(), telegram.telegram_calls, telegram.sent)
    for answer in ("Cut. " * 10, "Cut. " * 400):
        result = result_of(clip, answer=AgentMessage(answer))
        key = f"delivered{len(answer)}"
        sending = ResultSender(telegram.delivery(), sender, key, result, lambda _: None, send_answer).run()
        await passing(telegram.clock, sending)
    assert answers == [1]
