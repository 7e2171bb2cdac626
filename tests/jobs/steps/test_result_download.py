import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from bot.chats.chats import AccountKind
from bot.jobs.steps.result_download import NoRoom, TooLarge, fetch, fetch_ahead
from bot.nemo.client import Download, NemoClient
from bot.nemo.render_answers import Render, RenderStatus
from bot.nemo.wire import Attribution, Credentials
from bot.projects.projects import Project
from bot.runtime.arriving_file import ArrivingFile, NeverArrived
from tests.jobs.steps.conftest import Rig

RENDER = Render("render_1", RenderStatus.COMPLETED)
PROJECT = Project(Credentials("nmv_x", Attribution("a", "1")), "s", None, AccountKind.GUEST, None)


class FakeNemo:
    """Downloads what it is given, and may break off."""

    def __init__(self, chunks: Sequence[bytes | Exception], size_bytes: int | None = None) -> None:
        self._chunks = chunks
        self._size_bytes = size_bytes

    @contextlib.asynccontextmanager
    async def download(self, credentials: Credentials, render: Render) -> AsyncIterator[Download]:
        yield Download(self._size_bytes, self._each(), "video/mp4")

    async def _each(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


async def fetched(nemo: FakeNemo, path: Path, files: list[ArrivingFile] | None = None) -> int:
    on_start = (lambda _: None) if files is None else files.append
    return await fetch(cast(NemoClient, nemo), RENDER, path, 10, PROJECT, on_start=on_start)


async def test_a_result_of_unknown_size_is_read_up_to_the_limit(tmp_path: Path) -> None:
    assert await fetched(FakeNemo([b"12345", b"12345"]), tmp_path / "a.mp4") == 10
    with pytest.raises(TooLarge):
        await fetched(FakeNemo([b"12345", b"12345", b"1"]), tmp_path / "b.mp4")
    assert os.listdir(tmp_path) == ["a.mp4"]


async def test_what_the_disk_has_no_room_for_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.steps.result_download.has_room", lambda *_: False)
    with pytest.raises(NoRoom):
        await fetched(FakeNemo([b"12345"], 5), tmp_path / "a.mp4")
    assert os.listdir(tmp_path) == []


async def test_a_worker_that_was_taken_for_dead_writes_into_no_file_of_another(tmp_path: Path) -> None:
    path, begun, may_end = tmp_path / "a.mp4", asyncio.Event(), asyncio.Event()

    class SlowNemo(FakeNemo):
        async def _each(self) -> AsyncIterator[bytes]:
            yield b"12345"
            begun.set()
            await may_end.wait()
            yield b"12345"

    slow = asyncio.create_task(fetched(SlowNemo([], 10), path))
    await begun.wait()
    assert await fetched(FakeNemo([b"1234512345"], 10), path) == 10
    may_end.set()
    assert await asyncio.wait_for(slow, timeout=5) == 10
    assert path.read_bytes() == b"1234512345"


async def test_what_has_arrived_can_be_read_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.jobs.steps.result_download.WRITE_BYTES", 5)
    files: list[ArrivingFile] = []
    read: list[bytes] = []

    class WatchedNemo(FakeNemo):
        async def _each(self) -> AsyncIterator[bytes]:
            yield b"12345"
            with contextlib.closing(files[0].open()) as reader:
                await reader.wait_for(5)
                read.append(reader.read())
            yield b"678"

    await fetched(WatchedNemo([], 8), tmp_path / "a.mp4", files)
    assert read == [b"12345"]
    await asyncio.wait_for(files[0].wait_for_end(), timeout=5)


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, NoRoom), (errno.EDQUOT, NoRoom), (errno.EIO, OSError)]
)
async def test_a_full_disk_is_told_from_a_broken_one(
    tmp_path: Path, number: int, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        await fetched(FakeNemo([b"12345", OSError(number, "no")]), tmp_path / "a.mp4")


async def test_who_reads_along_hears_that_the_rest_never_comes(tmp_path: Path) -> None:
    files: list[ArrivingFile] = []
    with pytest.raises(OSError, match="broken"):
        await fetched(FakeNemo([b"12345", OSError("broken")], 10), tmp_path / "a.mp4", files)
    with pytest.raises(NeverArrived):
        await asyncio.wait_for(files[0].wait_for(10), timeout=5)


async def test_a_job_that_is_stopped_while_its_result_begins_fetches_no_more(rig: Rig) -> None:
    attempt, begun = rig.attempt(), asyncio.Event()

    async def fetch_all(_: object) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    fetching = asyncio.create_task(fetch_ahead(attempt, fetch_all))
    await begun.wait()
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    assert attempt.fetching is not None
    await asyncio.wait({attempt.fetching}, timeout=5)
    assert attempt.fetching.cancelled()
