"""A decoder that a file took over can reach nothing: neither the bot, nor its files, nor the network."""

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import structlog.testing

from bot.media import decoder_isolation, decoder_process
from bot.media.decoder_process import Bounds, NotDecoded, run
from bot.runtime.process import hide_memory
from tests.clocks import eventually
from tests.media.decoders import echo
from tests.security.intruder import (
    answer_deeply,
    attempts,
    leave_a_grandchild,
    open_descriptors,
    use_threads,
)

BOUNDS = Bounds(wall_s=20, cpu_s=20, written_bytes=1000)
Without = Callable[[str], None]
linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and Landlock are Linux's")


@pytest.fixture
def kernel_without(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Without]:
    """Decoders on a kernel that lacks a part of the isolation: the name of a function there."""
    monkeypatch.setattr(decoder_process, "_server", server := decoder_process._ForkServer())

    def without(part: str) -> None:
        directory = tmp_path_factory.mktemp("site")
        (directory / "sitecustomize.py").write_text(
            f"from bot.media import decoder_isolation\ndecoder_isolation.{part} = lambda *_: None\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(directory))

    yield without
    server.close()


def is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),  # 64-bit Arm has the generic numbers
}
ALLOWED = (
    "read write readv writev pread64 pwrite64 lseek fstat newfstatat close ftruncate fsync fdatasync mmap munmap"
    " mprotect mremap madvise brk futex set_robust_list rseq membarrier sched_yield sched_getaffinity getcpu getpid"
    " gettid clock_gettime clock_getres gettimeofday clock_nanosleep nanosleep times getrusage sysinfo uname getrandom"
    " rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall exit exit_group"
)


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_those_of_the_calls_that_may_be_made(machine: str) -> None:
    header, architecture = HEADERS[machine], decoder_isolation._ARCHITECTURES[machine]
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    defined = re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)$", header.read_text("utf-8"), re.M)
    names = {int(number): "newfstatat" if name == "fstatat" else name for name, number in defined}
    assert {names[number] for number in architecture.allowed} == set(ALLOWED.split())
    assert (names[architecture.clone], names[architecture.tgkill]) == ("clone", "tgkill")


@linux
async def test_a_decoder_reaches_nothing_but_what_it_was_handed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("110201543:secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert await run(attempts, os.getpid(), port, str(tmp_path), bounds=BOUNDS) == []
    assert os.listdir(tmp_path) == ["secret"]


@linux
async def test_landlock_alone_refuses_files_and_the_network(kernel_without: Without, tmp_path: Path) -> None:
    kernel_without("_filter_calls")
    if "Landlock" not in await run(decoder_isolation.active_mechanisms, bounds=BOUNDS):
        pytest.skip("this kernel has no Landlock")
    (tmp_path / "secret").write_text("110201543:secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = await run(attempts, os.getpid(), port, str(tmp_path), bounds=BOUNDS)
    assert "fork" in done
    assert not {
        "read a file",
        "read the bot's environment",
        "list files",
        "make a file",
        "run a program",
    } & set(done)


async def test_a_decoder_has_no_descriptors_but_its_connection_and_its_files(tmp_path: Path) -> None:
    assert len(await run(open_descriptors, bounds=BOUNDS)) == 1
    with (tmp_path / "file").open("w+b") as file:
        running = [asyncio.create_task(_descriptors(file)) for _ in range(4)]
        assert await asyncio.gather(*running) == [2] * 4


async def _descriptors(file: object) -> int:
    return len(await run(_count_descriptors, bounds=BOUNDS, files=[file]))  # type: ignore[list-item]


def _count_descriptors(_: int) -> list[int]:
    return open_descriptors()


async def test_a_decoder_reads_and_writes_what_it_was_handed_and_may_start_threads(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("frames")
    with source.open("rb") as read, target.open("w+b") as written:
        assert await run(use_threads, bounds=BOUNDS, files=[read, written]) == "frames"
    assert target.read_text() == "FRAMES"


@linux
async def test_the_log_says_once_what_isolates_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_logged_isolation", "")
    with structlog.testing.capture_logs() as logs:
        await run(echo, bounds=BOUNDS)
        await run(echo, bounds=BOUNDS)
    (line,) = [line for line in logs if line["event"] == "decoding.isolation"]
    assert line["log_level"] == "info"
    assert "seccomp" in line["mechanisms"]
    assert await run(decoder_isolation.active_mechanisms, bounds=BOUNDS) == line["mechanisms"]


async def test_without_the_kernels_help_decoding_works_and_the_log_warns(
    kernel_without: Without, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_without("isolate")
    monkeypatch.setattr(decoder_process, "_logged_isolation", "")
    with structlog.testing.capture_logs() as logs:
        assert await run(echo, 1, bounds=BOUNDS) == [1]
    (line,) = [line for line in logs if line["event"] == "decoding.isolation"]
    assert (line["log_level"], line["mechanisms"]) == ("warning", decoder_isolation.NOTHING)


@pytest.mark.parametrize("and_stay", [False, True])
async def test_what_a_decoder_started_ends_with_it(
    kernel_without: Without, tmp_path: Path, *, and_stay: bool
) -> None:
    kernel_without("isolate")
    pid_file = tmp_path / "pids"
    with pid_file.open("wb") as out:
        work = asyncio.create_task(run(_leave_and_stay if and_stay else _leave, bounds=BOUNDS, files=[out]))
        await eventually(pid_file.read_text)
        if and_stay:
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    for pid in pid_file.read_text().split():
        await eventually(partial(is_dead, int(pid)))


def _leave(pid_file: int) -> None:
    leave_a_grandchild(pid_file, and_stay=False)


def _leave_and_stay(pid_file: int) -> None:
    leave_a_grandchild(pid_file, and_stay=True)


async def test_an_answer_that_cannot_be_read_is_no_answer() -> None:
    with pytest.raises(NotDecoded):
        await run(answer_deeply, bounds=BOUNDS)


# Root may read everything: both become another user, which in itself hides memory, so the bot's is shown first.
_BECOME = (
    "import ctypes, os, sys; libc = ctypes.CDLL(None); os.setgroups([]); os.setgid(65534); os.setuid(65534);"
)
BOT = (
    "from bot.runtime.process import hide_memory;"
    f"{_BECOME} libc.prctl(4, 1, 0, 0, 0); print({{}}, flush=True); sys.stdin.read()"
)
PEEK = f"{_BECOME} print([len(open(f'/proc/{{sys.argv[1]}}/{{name}}', 'rb').read(9)) for name in ('environ', 'maps')])"


@linux
@pytest.mark.heavy
@pytest.mark.skipif(os.getuid() != 0, reason="root starts processes of another user")
@pytest.mark.parametrize("hidden", [False, True])
def test_a_process_of_the_same_user_reads_neither_environment_nor_memory(*, hidden: bool) -> None:
    code = BOT.format("hide_memory()" if hidden else "True")
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as bot:
        assert bot.stdout is not None
        assert bot.stdout.readline() == b"True\n"
        peek = [sys.executable, "-c", PEEK, str(bot.pid)]
        read = subprocess.run(peek, capture_output=True, text=True, check=False)
        bot.communicate()
    assert ("Permission denied" in read.stderr) is hidden
    assert (read.stdout.strip() == "[9, 9]") is not hidden


def test_hiding_is_linuxs_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert hide_memory() is False
