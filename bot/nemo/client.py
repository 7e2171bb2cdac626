"""The calls of the NemoVideo API.

>>> async with httpx.AsyncClient() as http:  # doctest: +SKIP
...     nemo = NemoClient(http, "https://mega-api-prod.nemovideo.ai")
...     card = Attribution("my-skill", "1.0.0", "unknown")
...     credentials = Credentials((await nemo.create_anonymous_token(client_id, card)).token, card)
...     session = await nemo.create_session(credentials, "en")
...     async with contextlib.aclosing(nemo.send_message(credentials, session.session_id, "A cat, 5 s")) as events:
...         async for event in events:
...             print(event)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import httpx
from httpx_sse import ServerSentEvent

from bot.nemo import answers
from bot.nemo import lenient_json as read
from bot.nemo.errors import (
    Call,
    HostNotAllowed,
    NemoError,
    SourceBroken,
    StreamBroken,
    TransportError,
    UnexpectedAnswer,
)
from bot.nemo.events import Event, KeepAlive, Unknown, read_event
from bot.nemo.render_answers import Render, RenderStatus, has_status, read_render
from bot.nemo.stream import OVERSIZED, SseReader
from bot.nemo.uploads import FileToUpload, MultipartBody
from bot.nemo.whole_turns import read_whole_turn
from bot.nemo.wire import (
    MAX_REDIRECTS,
    RENDERS,
    Attribution,
    Credentials,
    Retries,
    Timeouts,
    Wire,
    check_answer,
    content_length,
    encode,
    encoding_of,
    header_value,
    headers_for,
    media_type,
    origin,
    read_body,
    read_chunks,
    require,
)

_TIMEOUTS = Timeouts()
_RETRIES = Retries()
_APP = "nemo_agent"
_TURN_PATH = "/run_sse"
_RENDERS = f"{RENDERS}/lambda"
EVENTS_A_STEP = 20
_STREAMED = {"Accept-Encoding": "identity"}  # a compressing proxy delays events, and hides a file's size
_EVENT_STREAM = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Download:
    """A result that is being downloaded.

    Args:
        size_bytes: Its size, if the server declares it; the chunks then have exactly that size.
        chunks: Its bytes. Raises TransportError if they end early.
        content_type: Its media type, as the server declares it.
    """

    size_bytes: int | None
    chunks: AsyncIterator[bytes]
    content_type: str


@dataclass(frozen=True, slots=True)
class MediaSource:
    """Other hosts that results may be downloaded from.

    Args:
        http: The client for them; it judges the addresses that names resolve to. Its creator closes it.
        allows: Whether a request is allowed to a scheme, a host, and a port (None for the scheme's default).
    """

    http: httpx.AsyncClient
    allows: Callable[[str, str, int | None], bool]


class NemoClient:
    """A client of one NemoVideo server. It has no account and no session: each call names them.

    Each call may raise any :class:`~bot.nemo.errors.NemoError`; its docstring names those that are its own.

    Args:
        http: The client that sends the requests; its creator closes it. Its ``ConnectError`` and ``ConnectTimeout``
            have to mean that nothing was sent, as httpx documents.
        base_url: The server's URL, such as ``https://mega-api-prod.nemovideo.ai``.
        timeouts: The timeouts of each request.
        retries: How requests are retried.
        media: Where results may be downloaded from besides the service itself; nowhere by default.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        *,
        timeouts: Timeouts = _TIMEOUTS,
        retries: Retries = _RETRIES,
        media: MediaSource | None = None,
    ) -> None:
        self._http = http
        self._timeouts = timeouts
        self._media = media
        self._wire = Wire(http, base_url, timeouts, retries)
        # In place of each turn's request, whose headers and body would stay in memory as long as the stream.
        self._any_turn = httpx.Request("POST", self._wire.url(_TURN_PATH))

    async def create_anonymous_token(
        self, client_id: str, attribution: Attribution
    ) -> answers.AnonymousToken:
        """Create an anonymous account. In 7 days the service allows one per client id, about ten per IP address.

        Args:
            client_id: A UUID that never changes for its user.
            attribution: The caller.

        Raises:
            ClientIdMissing: The client id is not valid.
        """
        call = Call("POST", "/api/auth/anonymous-token")
        headers = {**headers_for(attribution), "X-Client-Id": header_value(client_id)}
        payload = await self._wire.request(call, headers)
        return require(call, answers.read_anonymous_token(payload))

    async def create_session(
        self, credentials: Credentials, language: str, task_name: str = "project"
    ) -> answers.Session:
        """Create a project.

        Args:
            credentials: The account.
            language: The language of the agent's answers, such as ``en`` or ``zh-CN``.
            task_name: The project's title on the web site.
        """
        call = Call("POST", f"/api/tasks/me/with-session/{_APP}")
        payload = await self._wire.request(
            call, headers_for(credentials), {"task_name": task_name, "language": language}
        )
        return require(call, answers.read_session(payload))

    async def create_claim_token(
        self, credentials: Credentials, task_id: str, session_id: str
    ) -> answers.ClaimToken:
        """Create a token with which a project can be taken over in a browser."""
        call = Call("POST", "/api/auth/claim-token")
        payload = await self._wire.request(
            call, headers_for(credentials), {"task_id": task_id, "session_id": session_id}
        )
        return require(call, answers.read_claim_token(payload))

    async def send_message(
        self, credentials: Credentials, session_id: str, text: str
    ) -> AsyncGenerator[Event, None]:
        """Send a message to the agent and yield the events of its turn, until the turn ends.

        Never repeat it after an error with ``outcome_unknown``: the agent may be working, and would be paid twice.
        Close the generator (``contextlib.aclosing``) when leaving it early. It has no timeout: watch the time since the
        last event other than :class:`~bot.nemo.events.KeepAlive`.

        Yields:
            Events; at least one for whatever the server sends, including comment lines.

        Raises:
            TransportError: No answer came; ``sent`` says whether the agent may be working.
            StreamBroken: The answer broke off.
            ServiceError: The message was refused. Refusals inside the stream are yielded as
                :class:`~bot.nemo.events.StreamError` events.
        """
        call = Call("POST", _TURN_PATH)
        response = await self._open_turn(call, credentials, session_id, text)
        response.request = self._any_turn
        reader = SseReader()
        async with contextlib.aclosing(response):
            kind = media_type(response)
            is_json = kind.endswith("json") and not kind.endswith("ndjson")  # JSON lines are a stream too.
            if not response.is_success or is_json:
                for event in await read_whole_turn(call, response, credentials.token):
                    yield event
                return
            try:
                async for chunk in read_chunks(call, response):
                    for number, event in enumerate(_events(reader.feed(chunk)), 1):
                        if number % EVENTS_A_STEP == 0:
                            # One chunk may hold thousands of events: other chats go on.
                            await asyncio.sleep(0)
                        yield event
                        del event  # It may hold a whole draft, and the next one may come minutes later.
                    del chunk
            except (TransportError, UnexpectedAnswer) as error:
                raise StreamBroken(call, error.message) from error
            for event in _events(reader.close()):
                yield event
            if not (reader.has_read or reader.is_empty):
                raise StreamBroken(call, "a page in place of a stream")

    async def _open_turn(
        self, call: Call, credentials: Credentials, session_id: str, text: str
    ) -> httpx.Response:
        body = {
            "app_name": _APP,
            "user_id": "me",
            "session_id": session_id,
            "new_message": {"parts": [{"text": text}]},
        }
        headers = {**headers_for(credentials), **_STREAMED, **_EVENT_STREAM}
        content = encode(call, body)
        async for attempt in self._wire.attempts():
            with attempt:
                return await self._wire.send_on(call, headers, content, self._wire.timeout(None))
        raise AssertionError("the last attempt raises")

    async def upload_files(
        self, credentials: Credentials, session_id: str, files: Sequence[FileToUpload]
    ) -> tuple[answers.AcceptedFile, ...]:
        """Upload files in one streamed request; return those that were accepted, none if the service names no file.

        Args:
            credentials: The account.
            session_id: The project.
            files: The files; their sources are always closed.

        Raises:
            SourceBroken: A file could not be read, or has another size than announced.
            FileTypeRefused: A file's type is not accepted.
            FileSizeRefused: A file is too large.
            AlreadyUploaded: The service has the files already.
        """
        call = Call("POST", f"/api/upload-video/{_APP}/me/{_path_part(session_id)}")
        loop = asyncio.get_running_loop()

        def on_piece() -> None:
            wait_s = self._timeouts.upload_answer_s if body.finished else self._timeouts.upload_stall_s
            if not watchdog.expired():
                watchdog.reschedule(loop.time() + wait_s)

        body = MultipartBody(files, "files", on_piece)
        try:
            async with asyncio.timeout(self._timeouts.upload_stall_s) as watchdog:
                payload = await self._wire.request(
                    call,
                    {
                        **headers_for(credentials),
                        "Content-Type": body.content_type,
                        "Content-Length": str(body.length),
                    },
                    body,
                    # The watchdog times the body; no timeout of the transport does.
                    http_timeout=self._wire.timeout(None),
                )
        except Exception as error:
            if body.failure is not None:
                # The transport only reports that its body broke off.
                raise SourceBroken(call, str(body.failure)) from body.failure
            if isinstance(error, TimeoutError):
                raise TransportError(call, "the upload stalled", sent=True) from error
            raise
        finally:
            await body.aclose()
        return answers.accepted_files(call, payload)

    async def upload_urls(
        self, credentials: Credentials, session_id: str, urls: Sequence[str]
    ) -> tuple[answers.AcceptedFile, ...]:
        """Make the service download files from their URLs; return those that it names as accepted."""
        call = Call("POST", f"/api/upload-video/{_APP}/me/{_path_part(session_id)}")
        payload = await self._wire.request(
            call,
            headers_for(credentials),
            {"urls": list(urls), "source_type": "url"},
            http_timeout=self._wire.timeout(self._timeouts.upload_answer_s),
        )
        return answers.accepted_files(call, payload)

    async def get_credits(self, credentials: Credentials) -> answers.Credits:
        """Return the account's credits."""
        return await self._wire.get(
            Call("GET", "/api/credits/balance/simple"), credentials, answers.read_credits
        )

    async def get_state(self, credentials: Credentials, session_id: str) -> answers.ProjectState:
        """Return a session's state with its draft.

        Raises:
            SessionGone: There is no such session.
            UnexpectedAnswer: The answer describes no session. As an empty one, it would look like a change.
        """
        call = Call("GET", f"/api/state/{_APP}/me/{_path_part(session_id)}/latest")
        return await self._wire.get(call, credentials, answers.read_state)

    async def start_render(
        self, credentials: Credentials, render_id: str, session_id: str, raw_draft: Any
    ) -> Render:
        """Start a render, which exports a draft.

        Args:
            credentials: The account.
            render_id: New and unique, ``render_…``. Save it before the call, so that the render can be found again.
            session_id: The draft's project.
            raw_draft: :attr:`bot.nemo.drafts.Draft.raw`, unchanged.

        Raises:
            ExportNotInPlan: The account's plan has no export.
        """
        call = Call("POST", _RENDERS)
        body = {
            "id": render_id,
            "sessionId": session_id,
            "draft": raw_draft,
            "output": {"format": "mp4", "quality": "high"},
        }
        render = read_render(await self._wire.request(call, headers_for(credentials), body), render_id)
        if render.status is RenderStatus.COMPLETED and render.url is None:
            return replace(
                render, status=RenderStatus.PENDING
            )  # The call succeeded: nothing is rendered yet.
        return render

    async def get_render(self, credentials: Credentials, render_id: str) -> Render:
        """Return a render. A failed one is an answer, not an error.

        Raises:
            UnexpectedAnswer: The answer describes no render. Were it an unknown status, it would be polled forever.
        """

        def parse(payload: Any) -> Render | None:
            render = read_render(payload, render_id)
            return render if has_status(payload) or render.status is not RenderStatus.UNKNOWN else None

        return await self._wire.get(Call("GET", f"{_RENDERS}/{_path_part(render_id)}"), credentials, parse)

    async def cancel_render(self, credentials: Credentials, render_id: str) -> None:
        """Cancel a render."""
        call = Call("POST", f"{_RENDERS}/{_path_part(render_id)}/cancel")
        await self._wire.request(call, headers_for(credentials), empty_ok=True)

    @contextlib.asynccontextmanager
    async def download(self, credentials: Credentials, render: Render) -> AsyncIterator[Download]:
        """Download a result from its link or, if that fails, by the download call.

        Redirects are followed one by one: each URL has to be on the service itself or on an allowed host. The token is
        sent only to the service.

        Raises:
            HostNotAllowed: The link leads to another host, and the download call gave no file.
            NemoError: Neither way gave a file, or its bytes ended early.
        """
        fallback = f"{RENDERS}/{_path_part(render.render_id)}/download"
        async with contextlib.AsyncExitStack() as stack:
            download, refused = None, None
            if (link := self._link(render.url)) is not None:
                try:
                    download = await self._open_download(stack, Call("GET", link.path), link, credentials)
                except HostNotAllowed as error:
                    refused = error
                except NemoError:
                    pass  # the download call may work
            if download is None:
                url = self._wire.url(fallback)
                try:
                    download = await self._open_download(stack, Call("GET", fallback), url, credentials)
                except NemoError as error:
                    if refused is not None:
                        raise refused from error
                    raise
            yield download

    @contextlib.asynccontextmanager
    async def download_file(self, credentials: Credentials, url: str) -> AsyncIterator[Download]:
        """Download a file that the agent names, from the service itself or from an allowed host.

        Raises:
            HostNotAllowed: It is on another host.
            NemoError: The URL is invalid, or the download failed.
        """
        link = self._link(url)
        if link is None:
            raise UnexpectedAnswer(Call("GET", "/"), "no address of a file")
        async with contextlib.AsyncExitStack() as stack:
            yield await self._open_download(stack, Call("GET", link.path), link, credentials)

    async def _open_download(
        self, stack: contextlib.AsyncExitStack, call: Call, url: httpx.URL, credentials: Credentials
    ) -> Download:
        """Open a download; the stack closes it."""
        ends_s = asyncio.get_running_loop().time() + self._timeouts.download_total_s
        for _ in range(MAX_REDIRECTS + 1):
            response = await stack.enter_async_context(
                contextlib.aclosing(await self._open_media(call, url, credentials))
            )
            content_type = media_type(response)
            is_file = response.is_success and not content_type.endswith(("json", "xml", "html"))
            if is_file and not response.has_redirect_location:
                break
            target = response.headers.get("location") if response.has_redirect_location else None
            if target is None:
                body = await read_body(call, response)
                payload = await check_answer(call, response, body, credentials.token)
                target = read_render(payload, "").url or read.text_at(
                    answers.data_of(payload), "download_url", "downloadUrl"
                )
            if target is None:
                raise UnexpectedAnswer(
                    call, f"{content_type} instead of a video", status=response.status_code
                )
            try:
                url = url.join(target)
            except (httpx.InvalidURL, ValueError) as error:
                raise UnexpectedAnswer(call, "a redirect to nowhere", status=response.status_code) from error
        else:
            raise UnexpectedAnswer(call, "too many redirects", status=response.status_code)
        size = content_length(response) if encoding_of(response) == "identity" else None
        if size == 0 or response.status_code == httpx.codes.NO_CONTENT:
            raise UnexpectedAnswer(call, "an empty file", status=response.status_code)
        return Download(size, _until(call, read_chunks(call, response), ends_s), content_type)

    async def _open_media(self, call: Call, url: httpx.URL, credentials: Credentials) -> httpx.Response:
        timeout = self._wire.timeout(self._timeouts.download_stall_s)
        if origin(url) == origin(self._wire.base_url):
            return await self._wire.send(call, url, {**headers_for(credentials), **_STREAMED}, None, timeout)
        host = url.raw_host.decode("ascii", "replace")
        if self._media is None or not self._media.allows(url.scheme, host, url.port):
            raise HostNotAllowed(call, f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")
        return await self._wire.send(call, url, _STREAMED, None, timeout, self._media.http)

    def _link(self, url: str | None) -> httpx.URL | None:
        if not url:
            return None
        try:
            link = self._wire.base_url.join(url)
        except (httpx.InvalidURL, ValueError):
            return None
        return link if link.scheme in ("http", "https") and link.host else None


async def _until(call: Call, chunks: AsyncIterator[bytes], ends_s: float) -> AsyncIterator[bytes]:
    """Yield chunks until a time of the event loop: a server could send slowly forever."""
    loop, is_empty = asyncio.get_running_loop(), True
    async for chunk in chunks:
        if loop.time() > ends_s:
            raise TransportError(call, "the download took too long", sent=True)
        is_empty = False
        yield chunk
    if is_empty:
        raise UnexpectedAnswer(call, "an empty file")


def _events(frames: Iterable[ServerSentEvent | None]) -> Iterator[Event]:
    for frame in frames:
        if frame is None:
            yield KeepAlive()
        elif frame.event == OVERSIZED:
            yield Unknown(OVERSIZED)
        else:
            yield from read_event(frame.data, "" if frame.event == "message" else frame.event)


def _path_part(value: str) -> str:
    """Quote an untrusted value as one part of a path."""
    quoted = quote(value, safe="", errors="replace")
    # "." and ".." would change the path, and clients undo their escaping.
    return quoted if quoted.strip(".") else "-"
