"""Uploads over real sockets: streamed, framed as ordinary servers read it, and never half told."""

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.nemo.client import NemoClient
from bot.nemo.errors import AccessRefused, FileSizeRefused, ServiceError, SourceBroken, TransportError
from bot.nemo.uploads import MAX_PIECE_BYTES, FileToUpload, MultipartBody, WrongSize
from bot.nemo.wire import Attribution, Credentials, Timeouts
from bot.web.serve import serve
from tests.clocks import PATIENCE_S
from tests.nemo.servers import free_port, raw_server, read_head, reset

WHO = Credentials("nmv_usr_secret", Attribution("card", "1"))
OK = b'{"code":0,"data":{"files":[{"filename":"a"}]}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(OK), OK)


class Source:
    """A file's bytes, and whether it was closed."""

    def __init__(
        self, data: bytes, size: int | None = None, piece: int = 10_000, name: str = "a.mp4"
    ) -> None:
        self.closed = False
        self.done = asyncio.Event()
        self.asked = 0
        self.file = FileToUpload(
            name, "video/mp4", len(data) if size is None else size, self._read(data, piece)
        )

    async def _read(self, data: bytes, piece: int) -> AsyncGenerator[bytes, None]:
        try:
            for at in range(0, len(data), piece):
                self.asked += 1
                yield data[at : at + piece]
        finally:
            self.closed = True
            self.done.set()


@pytest.fixture
async def form_server() -> AsyncIterator[str]:
    """Reads forms as ordinary servers do, and tells what it found."""

    async def upload(request: Request) -> JSONResponse:
        files = []
        async with request.form() as form:
            for name, file in form.multi_items():
                assert isinstance(file, UploadFile)
                content = await file.read()
                files.append(
                    {
                        "file_type": f"{name} {file.content_type} {file.filename}",
                        "duration": len(content),
                    }
                )
        return JSONResponse({"code": 0, "data": {"files": files}})

    app = Starlette(routes=[Route("/api/upload-video/nemo_agent/me/s", upload, methods=["POST"])])
    async with serve(app) as url:
        yield url


async def test_several_files_in_one_request(http: httpx.AsyncClient, form_server: str) -> None:
    sources = [
        Source(b"x" * 1_000_000, name="假期 🎬.mp4"),
        Source(b"", name='a"b\r\nc.mp4'),
        Source(b"--", name="..\\evil.mp4"),
    ]
    upload = await NemoClient(http, form_server).upload_files(WHO, "s", [source.file for source in sources])
    assert [(file.file_type, file.duration_s) for file in upload] == [
        ("files video/mp4 假期 🎬.mp4", 1_000_000),
        ("files video/mp4 a%22b%0D%0Ac.mp4", 0),
        ("files video/mp4 .._evil.mp4", 2),
    ]


@pytest.mark.parametrize("piece", [1000, 100_000, 300_000, 3_000_000])
async def test_pieces_have_a_useful_size_and_the_told_length(piece: int) -> None:
    body = MultipartBody([Source(bytes(2_000_000), piece=piece).file, Source(b"x").file], "files")
    sizes = [len(part) async for part in body]
    assert sum(sizes) == body.length
    assert max(sizes) <= MAX_PIECE_BYTES
    assert len(sizes) < 16
    assert body.finished


async def test_memory_stays_flat(http: httpx.AsyncClient) -> None:
    size = 64 * 1024 * 1024

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(size // 65536):
            yield bytes(65536)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert b"transfer-encoding" not in head.lower()
        left = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while left:
            left -= len(await reader.read(left))
        writer.write(ANSWER)
        await writer.drain()

    async with raw_server(talk) as url:
        tracemalloc.start()
        try:
            file = FileToUpload("a.mp4", "video/mp4", size, zeros())
            upload = await NemoClient(http, url).upload_files(WHO, "s", [file])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(upload) == 1
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(("told", "words"), [(200_000, "100000 came"), (99_000, "more came")])
async def test_a_source_of_another_size_than_told(
    http: httpx.AsyncClient, form_server: str, told: int, words: str
) -> None:
    source = Source(bytes(100_000), size=told)
    other = Source(b"x")
    with pytest.raises(SourceBroken, match=words) as caught:
        await NemoClient(http, form_server).upload_files(WHO, "s", [source.file, other.file])
    assert isinstance(caught.value.__cause__, WrongSize)
    assert source.closed


@pytest.mark.parametrize("error", [ConnectionResetError("lost"), TimeoutError("late"), ValueError("odd")])
async def test_a_source_that_fails(http: httpx.AsyncClient, form_server: str, error: Exception) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(300_000)
        raise error

    file = FileToUpload("a.mp4", "video/mp4", 1_000_000, failing())
    with pytest.raises(SourceBroken) as caught:
        await NemoClient(http, form_server).upload_files(WHO, "s", [file])
    assert caught.value.__cause__ is error
    assert not caught.value.outcome_unknown


async def test_a_source_that_fails_under_the_stock_transport(form_server: str) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield bytes(300_000)
        raise ValueError("odd")

    async with httpx.AsyncClient() as stock:
        file = FileToUpload("a.mp4", "video/mp4", 1_000_000, failing())
        with pytest.raises(SourceBroken):
            await NemoClient(stock, form_server).upload_files(WHO, "s", [file])


@pytest.mark.parametrize("rst", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (b"413 Content Too Large", b"too large", FileSizeRefused),
        (b"200 OK", b'{"code":4002}', FileSizeRefused),
        (b"403 Forbidden", b"no", AccessRefused),
    ],
)
async def test_an_answer_before_the_bodys_end_is_read(
    http: httpx.AsyncClient, status: bytes, body: bytes, error: type[ServiceError], rst: bool
) -> None:
    source = Source(bytes(50_000_000), piece=100_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body)
        )
        await writer.drain()
        if rst:
            await source.done.wait()  # the other side has the answer
            reset(writer)

    async with raw_server(talk) as url:
        with pytest.raises(ServiceError) as caught:
            await NemoClient(http, url).upload_files(WHO, "s", [source.file])
    assert type(caught.value) is error
    assert source.closed
    assert source.asked < 500


async def test_cancelled_in_the_middle_everything_is_closed(http: httpx.AsyncClient) -> None:
    sources = [Source(bytes(50_000_000)), Source(b"x")]
    reading, gone = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100_000)
        reading.set()
        while await reader.read(10_000_000):
            pass
        gone.set()

    async with raw_server(talk) as url:
        task = asyncio.create_task(NemoClient(http, url).upload_files(WHO, "s", [s.file for s in sources]))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sources[0].closed
        await asyncio.wait_for(gone.wait(), PATIENCE_S)


async def test_cancelled_while_its_source_waits(http: httpx.AsyncClient, form_server: str) -> None:
    waiting = asyncio.Event()
    closed = False

    async def stuck() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield b""
        finally:
            closed = True

    file = FileToUpload("a.mp4", "video/mp4", 10, stuck())
    task = asyncio.create_task(NemoClient(http, form_server).upload_files(WHO, "s", [file]))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed


@pytest.mark.parametrize("reads", [False, True], ids=["takes nothing", "never answers"])
async def test_a_stalled_upload_ends(http: httpx.AsyncClient, reads: bool) -> None:
    source = Source(bytes(20_000_000))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while reads and await reader.read(10_000_000):
            pass
        await asyncio.Event().wait()

    limits = Timeouts(upload_stall_s=0.2, upload_answer_s=0.2)
    async with raw_server(talk) as url:
        with pytest.raises(TransportError, match="stalled") as caught:
            await NemoClient(http, url, timeouts=limits).upload_files(WHO, "s", [source.file])
    assert caught.value.sent
    assert source.closed


async def test_no_connection_leaves_the_source_unread(http: httpx.AsyncClient) -> None:
    source = Source(b"x")
    with pytest.raises(TransportError) as caught:
        await NemoClient(http, f"http://127.0.0.1:{free_port()}").upload_files(WHO, "s", [source.file])
    assert not caught.value.sent
    assert source.asked == 0


async def test_no_more_than_was_announced_is_sent_and_a_type_always_is() -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for _ in range(3):
            yield bytes(600_000)

    body = MultipartBody([FileToUpload("a", "", 1_000_000, chunks())], "files")
    sent = b""

    async def send() -> None:
        nonlocal sent
        async for piece in body:
            sent += piece

    with pytest.raises(WrongSize):
        await send()
    assert len(sent) < body.length
    assert b"Content-Type: application/octet-stream\r\n" in sent


async def test_an_upload_that_is_to_go_elsewhere_goes_there_the_next_time(http: httpx.AsyncClient) -> None:
    """Its bytes are gone: they have to be fetched again."""
    paths = []

    async def upload(request: Request) -> Response:
        paths.append(request.url.path)
        await request.body()
        if not request.url.path.endswith("/"):
            return Response(status_code=307, headers={"Location": f"{request.url.path}/"})
        return Response(OK, media_type="application/json")

    async with serve(Starlette(routes=[Route("/{path:path}", upload, methods=["POST"])])) as url:
        nemo = NemoClient(http, url)
        with pytest.raises(TransportError) as caught:
            await nemo.upload_files(WHO, "s", [Source(b"x").file])
        assert not caught.value.sent
        assert [file.name for file in await nemo.upload_files(WHO, "s", [Source(b"x").file])] == ["a"]
        with pytest.raises(TransportError):  # The way may have been another for that moment alone.
            await nemo.upload_files(WHO, "s", [Source(b"x").file])
    path = "/api/upload-video/nemo_agent/me/s"
    assert paths == [path, f"{path}/", path]


async def test_after_the_last_byte_the_service_has_longer_to_answer(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s: list[float] = []

    reschedule = asyncio.Timeout.reschedule

    def watched(self: asyncio.Timeout, when: float | None) -> None:
        waits_s.append((when or 0.0) - asyncio.get_running_loop().time())
        reschedule(self, when)

    async def upload(request: Request) -> Response:
        await request.body()
        return Response(OK, media_type="application/json")

    monkeypatch.setattr(asyncio.Timeout, "reschedule", watched)
    async with serve(Starlette(routes=[Route("/{path:path}", upload, methods=["POST"])])) as url:
        await NemoClient(http, url).upload_files(WHO, "s", [Source(b"x").file])
    given = Timeouts()
    assert given.upload_stall_s < max(waits_s) <= given.upload_answer_s


async def test_files_that_the_service_fetches_itself_may_take_as_long_as_an_upload() -> None:
    waits_s: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        waits_s.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, stream=httpx.ByteStream(OK))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        nemo = NemoClient(http, "https://nemo.example.com")
        await nemo.upload_urls(WHO, "s", ["https://media.example.com/a.mp4"])
    assert waits_s == [Timeouts().upload_answer_s]
