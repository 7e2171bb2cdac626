"""Decoders in a process of their own: whatever happens to it, the worker lives on and learns of it in time."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from prometheus_client import REGISTRY

from bot.media import cover, decoder_process, video_facts
from bot.media.cover import make_cover
from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.media.video_facts import NotAVideo, read_video_facts
from tests.clocks import PATIENCE_S, eventually
from tests.media.decoders import (
    abort,
    allocate_too_much,
    answer_too_much,
    echo,
    loaded_modules,
    process_facts,
    sleep,
    spin,
    spin_named,
    write,
)
from tests.media.test_video_facts import make_video, plain

BOUNDS = Bounds(wall_s=20, cpu_s=20)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_each_piece_of_work_has_its_own_process_without_the_bots_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_process, "_server", server := decoder_process._ForkServer())
    monkeypatch.setenv("TELEGRAM_TOKEN", "110201543:secret")
    try:
        one, other = [await run(process_facts, bounds=BOUNDS) for _ in range(2)]
        assert one["pid"] != other["pid"]
        assert os.getpid() not in (one["pid"], other["pid"])
        assert not [name for name in one["environment"] if "TOKEN" in name]
    finally:
        server.close()


async def test_the_decoders_can_be_loaded_before_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_server", server := decoder_process._ForkServer())
    try:
        decoder_process.start()
        assert server._process is not None
        started = server._process.pid
        decoder_process.start()
        await run(echo, bounds=BOUNDS)
        assert server._process.pid == started
    finally:
        server.close()


async def test_each_piece_of_work_finds_its_libraries_loaded() -> None:
    modules = await run(loaded_modules, bounds=BOUNDS)
    assert {"av", "av.audio.resampler", "PIL.Image", "PIL.ImageFilter", "PIL.ImageStat"} <= set(modules)


@pytest.mark.parametrize(
    ("work", "bounds"),
    [
        (abort, BOUNDS),
        (spin, Bounds(wall_s=0.5, cpu_s=100)),
        (sleep, Bounds(wall_s=0.5, cpu_s=100)),
        (spin, Bounds(wall_s=100, cpu_s=1)),
        (allocate_too_much, BOUNDS),
        (answer_too_much, BOUNDS),
    ],
)
async def test_work_beyond_its_bounds_ends_and_the_next_is_done(
    work: Callable[..., Any], bounds: Bounds
) -> None:
    began_s = time.monotonic()
    with pytest.raises(NotDecoded):
        await run(work, bounds=bounds)
    assert time.monotonic() - began_s < PATIENCE_S, "the bound that is not exceeded ended it"
    assert await run(echo, "still", 1, bounds=BOUNDS) == ["still", 1]


async def test_dead_decoders_are_counted_and_failed_work_is_not() -> None:
    def died() -> float:
        return REGISTRY.get_sample_value("nemovideo_decoders_died_total") or 0.0

    before = died()
    with pytest.raises(NotDecoded):
        await run(allocate_too_much, bounds=BOUNDS)
    assert died() == before
    with pytest.raises(NotDecoded):
        await run(sleep, bounds=Bounds(wall_s=0.2, cpu_s=20))
    assert died() == before + 1


async def test_writing_more_than_allowed_fails(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as out:
        assert await run(write, 100, bounds=Bounds(20, 20, 100), files=[out]) == 100
        with pytest.raises(NotDecoded, match="File too large"):
            await run(write, 1, bounds=Bounds(20, 20, 100), files=[out])


async def test_work_beyond_the_concurrency_limit_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(decoder_process, "MAX_CONCURRENT", 1)
    pid_file = tmp_path / "pid"
    with pid_file.open("wb") as out:
        first = asyncio.create_task(run(spin_named, bounds=Bounds(100, 100, 100), files=[out]))
        await eventually(pid_file.read_text)
    second = asyncio.create_task(run(echo, 2, bounds=BOUNDS))
    ended, _ = await asyncio.wait({second}, timeout=0.5)
    assert not ended
    first.cancel()
    assert await second == [2]


async def test_cancelling_ends_the_process(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pid_file.open("wb") as out:
        work = asyncio.create_task(run(spin_named, bounds=Bounds(100, 100, 100), files=[out]))
        await eventually(pid_file.read_text)
    pid = int(pid_file.read_text())
    assert is_alive(pid)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await eventually(lambda: not is_alive(pid))


async def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    await run(echo, bounds=BOUNDS)
    process = decoder_process._server._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    for _ in range(2):  # A connection sent while it dies may be lost with it.
        with contextlib.suppress(NotDecoded):
            assert await run(echo, 1, bounds=BOUNDS) == [1]
            break
    else:
        pytest.fail("no new server")
    assert decoder_process._server._process is not process


async def test_children_end_with_a_killed_worker(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import asyncio, sys; from bot.media.decoder_process import Bounds, run;"
        "from tests.media.decoders import spin_named;"
        "asyncio.run(run(spin_named, bounds=Bounds(100, 100, 100), files=[open(sys.argv[1], 'wb')]))"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(pid_file)])  # noqa: ASYNC220 - it stands for a worker
    try:
        await eventually(lambda: pid_file.exists() and pid_file.read_text())
    finally:
        worker.kill()
        worker.wait()
    pid = int(pid_file.read_text())
    await eventually(lambda: not is_alive(pid))


@pytest.mark.parametrize("work", [abort, spin])
async def test_a_decoder_that_dies_costs_only_the_facts_and_the_cover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[..., Any]
) -> None:
    path = make_video(tmp_path / "a.mp4", [plain("teal")] * 5)
    bounds = Bounds(wall_s=0.5, cpu_s=20)
    monkeypatch.setattr(video_facts, "BOUNDS", bounds)
    monkeypatch.setattr(video_facts, "_read_facts", work)
    monkeypatch.setattr(cover, "_make_cover", work)
    looks: list[Callable[[Path], Awaitable[Any]]] = [read_video_facts, make_cover]
    for look in looks:
        with pytest.raises(NotAVideo):
            await look(path)


async def test_a_video_that_declares_huge_frames_is_refused_unopened(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [plain("teal")] * 5)
    content = bytearray(path.read_bytes())
    # The sample entry has width and height 24 bytes in,
    entry = content.index(b"avc1", content.index(b"stsd"))
    content[entry + 28 : entry + 32] = b"\xff\xff\xff\xff"
    # and the track header at its end.
    head = content.index(b"tkhd")
    content[head + 80 : head + 88] = b"\xff\xff\x00\x00" * 2
    path.write_bytes(content)
    try:
        facts = await read_video_facts(path)
    except NotAVideo:
        return
    # The frames themselves have the actual size.
    assert (facts.width, facts.height) == (320, 180)


async def test_thousands_of_frames_are_not_all_decoded(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=600, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        frame = av.VideoFrame(64, 64, "yuv420p")
        for number in range(20_000):
            frame.pts, frame.time_base = number, Fraction(1, 600)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    began_s = time.monotonic()
    assert (await read_video_facts(path)).width == 64
    await make_cover(path)
    assert time.monotonic() - began_s < 3 * video_facts.MAX_WORK_S
