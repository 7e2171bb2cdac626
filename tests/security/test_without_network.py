"""Nothing is fetched while the bot runs: a whole conversation is played where there is only loopback."""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
OUTSIDE = ("192.0.2.1", 80)


def leave_the_network() -> None:
    """Move this process into a network of its own, with loopback alone."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def in_no_network(*command: str) -> "subprocess.CompletedProcess[str]":
    start = f"from {__name__} import leave_the_network; leave_the_network()"
    run = f"import os, sys; {start}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    return subprocess.run(
        [sys.executable, "-c", run, *command],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    probe = f"import socket; socket.create_connection({OUTSIDE}, 2)"
    tried = in_no_network("-c", probe)
    if "unshare" in tried.stderr:
        pytest.skip("this machine lets nobody make a network namespace")
    assert "Network is unreachable" in tried.stderr


def test_a_conversation_needs_no_network(tmp_path: Path) -> None:
    played = in_no_network(
        "-c", "from bot.cli import main; main()", "sandbox", "--play", "--out", str(tmp_path)
    )
    assert (played.returncode, "every expectation held" in played.stdout) == (0, True), (
        played.stdout + played.stderr
    )
