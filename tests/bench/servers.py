"""Throw-away servers that are not the bottleneck: nginx for what is fetched, a sink for what is sent.

>>> with serve_nginx(folder, tls=True) as source, serve_sink() as sink:  # doctest: +SKIP
...     await relay(f"{source.url}/clip.mp4", sink.url)

Each has a process of its own, ends with its block, and listens on loopback alone.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MEBIBYTE = 1024 * 1024
HOST = "127.0.0.1"
START_S = 10.0
NO_FILES = b'{"code": 0, "data": {}}'
"""What NemoVideo answers at least to an upload."""
SENT_BYTES = "<sent>"
"""Stands in a sink's answer for how many bytes it was sent."""

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin"
"""Where Debian has servers; not on everybody's path."""
_READ_BYTES = MEBIBYTE
_CAPPED_READ_BYTES = 128 * 1024
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Args:
        url: Without a slash at its end.
        certificate: To trust it by, where it speaks TLS.
    """

    url: str
    certificate: Path | None = None


def tool(name: str) -> str | None:
    """Give a program's path, if this machine has it."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)


def has_tools(lines: str, *names: str) -> bool:
    """Return whether this machine has some programs; says which are missing.

    Args:
        lines: Of the table, that can't be measured without them.
        names: Of the programs.
    """
    missing = [name for name in names if tool(name) is None]
    if missing:
        print(f"{', '.join(missing)} is missing, left out: {lines}", file=sys.stderr)
    return not missing


@contextlib.contextmanager
def serve_nginx(
    folder: Path,
    *,
    tls: bool = False,
    limit_bytes_s: int | None = None,
    answers: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve a folder's files by nginx, with one worker.

    Args:
        folder: What is in it is there under the same path.
        tls: Whether to speak TLS, with a certificate made for this one time.
        limit_bytes_s: Bytes a second, of each answer.
        answers: JSON that is answered under a path, whatever is asked there.

    Raises:
        RuntimeError: nginx does not start.
    """
    program = tool("nginx")
    if program is None:
        raise RuntimeError("nginx is missing")
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as name:
        home, port = Path(name), _free_port()
        certificate = make_certificate(home) if tls else None
        (home / "nginx.conf").write_text(
            _configuration(folder, port, certificate, limit_bytes_s, answers or {})
        )
        command = [program, "-p", name, "-c", "nginx.conf", "-e", "stderr"]
        with _running(subprocess.Popen(command)) as process:
            _wait_for(port, process)
            yield Server(f"{'https' if tls else 'http'}://{HOST}:{port}", certificate)


@contextlib.contextmanager
def serve_sink(answer: bytes = NO_FILES, *, limit_bytes_s: int | None = None) -> Iterator[Server]:
    """Take whatever is sent by POST or PUT, and answer when all of it is there.

    nginx would answer before it has read anything, which makes clients stop sending.

    Args:
        answer: The same JSON for all; ``SENT_BYTES`` in it becomes the length of what came.
        limit_bytes_s: Bytes a second of each connection; beyond it nothing is read.
    """
    command = [sys.executable, "-m", "tests.bench.servers", "--limit", str(limit_bytes_s or 0)]
    process = subprocess.Popen([*command, "--answer", answer.decode()], stdout=subprocess.PIPE, text=True)
    with _running(process):
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the sink does not start")
        yield Server(f"http://{HOST}:{port}")


@contextlib.contextmanager
def serve_socks() -> Iterator[str]:
    """Run microsocks, and give its URL."""
    port = _free_port()
    command = [tool("microsocks") or "microsocks", "-i", HOST, "-p", str(port)]
    with _running(subprocess.Popen(command, stderr=subprocess.DEVNULL)) as process:
        _wait_for(port, process)
        yield f"socks5h://{HOST}:{port}"


@contextlib.contextmanager
def _running(
    process: subprocess.Popen[bytes] | subprocess.Popen[str],
) -> Iterator[subprocess.Popen[bytes] | subprocess.Popen[str]]:
    with process:
        try:
            yield process
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    ends_s = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < ends_s:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args!r} does not start")


def _configuration(
    folder: Path, port: int, certificate: Path | None, limit_bytes_s: int | None, answers: Mapping[str, str]
) -> str:
    tls = "ssl" if certificate else ""
    lines = [f"location = {path} {{ return 200 '{answer}'; }}" for path, answer in answers.items()]
    if certificate is not None:
        lines += [
            f"ssl_certificate {certificate};",
            f"ssl_certificate_key {certificate.with_suffix('.key')};",
        ]
    if limit_bytes_s is not None:
        lines.append(f"limit_rate {limit_bytes_s};")
    # Its worker would otherwise be of a user that may not read the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
        daemon off; worker_processes 1; pid nginx.pid; error_log stderr error; {user}
        events {{ worker_connections 4096; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; {temporary}
            default_type application/json; types {{ video/mp4 mp4; }}
            server {{ listen {HOST}:{port} {tls} backlog=4096; root {folder}; {" ".join(lines)} }}
        }}
    """


def make_certificate(folder: Path) -> Path:
    """Write one for loopback, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


class _Sink(BaseHTTPRequestHandler):
    """Reads and forgets; the interpreter is asked once for each MB at most."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answer = b""
    limit_bytes_s = 0

    def do_POST(self) -> None:
        length = self.headers["Content-Length"]
        sent = self._swallow(None if length is None else int(length))
        answer = self.answer.replace(SENT_BYTES.encode(), str(sent).encode())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _swallow(self, length: int | None) -> int:
        """Read a body, and give its length; one in chunks by what it ends with, which no clip of ours holds."""
        view = memoryview(bytearray(_CAPPED_READ_BYTES if self.limit_bytes_s else _READ_BYTES))
        began_s, read, tail = time.monotonic(), 0, b""
        while tail != _LAST_CHUNK if length is None else read < length:
            count = self.rfile.readinto1(view if length is None else view[: length - read])
            if not count:
                raise ConnectionError("the body ended early")
            read += count
            tail = (tail + bytes(view[max(0, count - len(_LAST_CHUNK)) : count]))[-len(_LAST_CHUNK) :]
            if self.limit_bytes_s:
                time.sleep(max(0.0, began_s + read / self.limit_bytes_s - time.monotonic()))
        return read


def _serve_sink() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--answer", required=True)
    asked = parser.parse_args()
    _Sink.answer, _Sink.limit_bytes_s = asked.answer.encode(), asked.limit
    with ThreadingHTTPServer((HOST, 0), _Sink) as server:
        print(server.server_port, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    _serve_sink()
