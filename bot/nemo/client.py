"""The calls of the NemoVideo API.

>>> async with httpx.AsyncClient() as http:  # doctest: +SKIP
...     nemo = NemoClient(http, "https://mega-api-prod.nemovideo.ai")
...     card = Attribution("my-skill", "1.0.0", "unknown")
...     who = Credentials((await nemo.anonymous_token(client_id, card)).token, card)
...     session = await nemo.create_session(who, "en")
...     async with contextlib.aclosing(nemo.send_message(who, session.session_id, "A cat, 5 s")) as events:
...         async for event in events:
...             print(event)
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from httpx_sse import ServerSentEvent

from bot.nemo import answers
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
from bot.nemo.renders import Render, read_render
from bot.nemo.stream import OVERSIZED, SseReader
from bot.nemo.turns import TurnText
from bot.nemo.uploads import FileToUpload, MultipartBody
from bot.nemo.wire import (
    RENDERS,
    Attribution,
    Credentials,
    Retries,
    Timeouts,
    Wire,
    checked,
    encode,
    found,
    header_value,
    headers_for,
    media_type,
    origin,
    read_body,
    read_chunks,
    size_of,
)

_TIMEOUTS = Timeouts()
_RETRIES = Retries()
_APP = "nemo_agent"
_RENDERS = f"{RENDERS}/lambda"
MAX_REDIRECTS = 5
_STREAMED = {"Accept-Encoding": "identity"}  # a compressing proxy holds events back, and hides a file's size
_EVENT_STREAM = {
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Download:
    """A result on its way.

    Args:
        size_bytes: If the server tells; the chunks then give exactly as many.
        chunks: Its bytes as they come. Raises TransportError when they end early.
        content_type: As the server tells.
        by_link: Whether it comes from the result's link, not from the download call.
    """

    size_bytes: int | None
    chunks: AsyncIterator[bytes]
    content_type: str
    by_link: bool


@dataclass(frozen=True, slots=True)
class MediaSource:
    """Other hosts that results are fetched from.

    Args:
        http: Closed by whoever made it. What a name leads to is for it to judge.
        allows: Tells whether a place may be reached: scheme, host, and the port unless it is the scheme's own.
    """

    http: httpx.AsyncClient
    allows: Callable[[str, str, int | None], bool]


class NemoClient:
    """Speaks to one NemoVideo server. Holds no account and no session: each call names them.

    Args:
        http: Closed by whoever made it. Its ``ConnectError`` and ``ConnectTimeout`` have to mean that
        nothing was
            sent, as httpx documents it.
        base_url: Such as ``https://mega-api-prod.nemovideo.ai``.
        timeouts: How long to wait.
        retries: How calls are repeated.
        media: Where else than from the service itself results may be fetched; from nowhere when left out.
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

    async def anonymous_token(self, client_id: str, attribution: Attribution) -> answers.AnonymousToken:
        """Get an account without a name: one a client id in 7 days, about ten a network address.

        Args:
            client_id: A UUID that stays with its user for ever.
            attribution: Who asks.

        Raises:
            ClientIdMissing: The client id does not count.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", "/api/auth/anonymous-token")
        headers = {**headers_for(attribution), "X-Client-Id": header_value(client_id)}
        payload = await self._wire.ask(call, headers)
        return found(call, answers.read_anonymous_token(payload))

    async def create_session(self, who: Credentials, language: str) -> answers.Session:
        """Begin a project.

        Args:
            who: The account.
            language: ISO code, such as ``en`` or ``zh-CN``: what the agent answers in.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", f"/api/tasks/me/with-session/{_APP}")
        payload = await self._wire.ask(call, headers_for(who), {"task_name": "project", "language": language})
        return found(call, answers.read_session(payload))

    async def claim_token(self, who: Credentials, task_id: str, session_id: str) -> answers.ClaimToken:
        """Get the right to take a project over in a browser.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", "/api/auth/claim-token")
        payload = await self._wire.ask(call, headers_for(who), {"task_id": task_id, "session_id": session_id})
        return found(call, answers.read_claim_token(payload))

    async def send_message(self, who: Credentials, session_id: str, text: str) -> AsyncGenerator[Event, None]:
        """Say something to the agent, and hear what it does. Its end is the turn's end.

        Never repeat it after an error with ``outcome_unknown``: the agent may be at work, and would be
        paid twice. Close the generator (``contextlib.aclosing``) when leaving early. It waits without
        limit: judge by the time since the last event that is more than a :class:`~bot.nemo.events.KeepAlive`.

        Yields:
            Events; at least one for whatever the server sends, comment lines included.

        Raises:
            TransportError: No answer came; ``sent`` tells whether the agent may be at work.
            StreamBroken: The answer broke off.
            ServiceError: The message was refused. Refusals inside the stream come as
                :class:`~bot.nemo.events.StreamError` events.
        """
        call = Call("POST", "/run_sse")
        response = await self._open_turn(call, who, session_id, text)
        # The headers and the body that were sent would stay in memory as long as the stream.
        response.request = httpx.Request(call.method, response.url)
        reader, heard, count = SseReader(), TurnText(), 0
        try:
            if not response.is_success or media_type(response).endswith("json"):
                content = await read_body(call, response)
                payload = checked(call, response, content, who.token)
                for event in read_event(json.dumps(payload)):
                    yield event
                return
            plain = "content-encoding" not in response.headers
            async for chunk in response.aiter_raw() if plain else response.aiter_bytes():
                for event in _events(reader.feed(chunk)):
                    count += not isinstance(event, KeepAlive)
                    heard.add(event)
                    yield event
                    del event  # One may hold a whole draft, and the next may be minutes away.
                del chunk
            for event in _events(reader.close()):
                yield event
        except httpx.RequestError as error:
            message = f"{type(error).__name__}: {error}"
            raise StreamBroken(call, message, text=heard.text, events=count) from error
        finally:
            await response.aclose()

    async def _open_turn(self, call: Call, who: Credentials, session_id: str, text: str) -> httpx.Response:
        body = {
            "app_name": _APP,
            "user_id": "me",
            "session_id": session_id,
            "new_message": {"parts": [{"text": text}]},
        }
        headers = {**headers_for(who), **_STREAMED, **_EVENT_STREAM}
        content, url = encode(call, body), self._wire.url(call.path)
        async for attempt in self._wire.until_sent():
            with attempt:
                return await self._wire.send(call, url, headers, content, self._wire.limits(None))
        raise AssertionError("the last attempt raises")

    async def upload_files(
        self, who: Credentials, session_id: str, files: Sequence[FileToUpload]
    ) -> answers.Upload:
        """Upload files, streamed, in one request.

        Args:
            who: The account.
            session_id: Where they belong.
            files: What to send. Their sources are closed, whatever happens.

        Raises:
            SourceBroken: A file could not be read, or has another size than told.
            FileTypeRefused: Not a type that is taken.
            FileTooLarge: More than is taken.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", f"/api/upload-video/{_APP}/me/{_segment(session_id)}")
        loop = asyncio.get_running_loop()

        def on_piece() -> None:
            wait_s = self._timeouts.upload_answer_s if body.finished else self._timeouts.upload_stall_s
            if not watchdog.expired():
                watchdog.reschedule(loop.time() + wait_s)

        body = MultipartBody(files, "files", on_piece)
        try:
            async with asyncio.timeout(self._timeouts.upload_stall_s) as watchdog:
                payload = await self._wire.ask(
                    call,
                    {
                        **headers_for(who),
                        "Content-Type": body.content_type,
                        "Content-Length": str(body.length),
                    },
                    body,
                    # The watchdog minds the body, which no timeout of the transport's does.
                    limits=self._wire.limits(None),
                )
        except Exception as error:
            if body.failure is not None:
                # The transport only knows that its body broke off.
                raise SourceBroken(call, str(body.failure)) from body.failure
            if isinstance(error, TimeoutError):
                raise TransportError(call, "the upload stood still", sent=True) from error
            raise
        finally:
            await body.aclose()
        return answers.read_upload(payload)

    async def upload_urls(self, who: Credentials, session_id: str, urls: Sequence[str]) -> answers.Upload:
        """Have the service fetch files by their addresses.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", f"/api/upload-video/{_APP}/me/{_segment(session_id)}")
        payload = await self._wire.ask(
            call,
            headers_for(who),
            {"urls": list(urls), "source_type": "url"},
            limits=self._wire.limits(self._timeouts.upload_answer_s),
        )
        return answers.read_upload(payload)

    async def credits(self, who: Credentials) -> answers.Credits:
        """Look up the account's credits.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        return await self._wire.get(Call("GET", "/api/credits/balance/simple"), who, answers.read_credits)

    async def state(self, who: Credentials, session_id: str) -> answers.ProjectState:
        """Look up a session's state, its draft above all.

        Raises:
            SessionGone: There is no such session.
            UnexpectedAnswer: It tells nothing of a session; taken for an empty one, it would seem changed.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("GET", f"/api/state/{_APP}/me/{_segment(session_id)}/latest")
        return await self._wire.get(call, who, answers.read_state)

    async def start_render(self, who: Credentials, render_id: str, session_id: str, raw_draft: Any) -> Render:
        """Begin an export.

        Args:
            who: The account.
            render_id: New and unique, ``render_…``. Keep it before calling, to find the render again.
            session_id: The draft's.
            raw_draft: :attr:`bot.nemo.drafts.Draft.raw`, as it came.

        Raises:
            ExportNotInPlan: The account may not export.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", _RENDERS)
        body = {
            "id": render_id,
            "sessionId": session_id,
            "draft": raw_draft,
            "output": {"format": "mp4", "quality": "high"},
        }
        return read_render(await self._wire.ask(call, headers_for(who), body), render_id)

    async def render_status(self, who: Credentials, render_id: str) -> Render:
        """Look up where a render stands. A failed one is an answer, not an error.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("GET", f"{_RENDERS}/{_segment(render_id)}")
        return await self._wire.get(call, who, lambda payload: read_render(payload, render_id))

    async def cancel_render(self, who: Credentials, render_id: str) -> None:
        """Give a render up.

        Raises:
            NemoError: See :mod:`bot.nemo.errors`.
        """
        call = Call("POST", f"{_RENDERS}/{_segment(render_id)}/cancel")
        await self._wire.ask(call, headers_for(who), empty_ok=True)

    @contextlib.asynccontextmanager
    async def download(self, who: Credentials, render: Render) -> AsyncIterator[Download]:
        """Fetch a result: from its link, and where that fails by the download call.

        Redirects are followed by hand: each address on the way is the service's own, or one of the hosts that are
        allowed. The token goes to the service alone.

        Raises:
            HostNotAllowed: It lies elsewhere, and the download call led to no file.
            NemoError: Neither way led to a file, or its bytes ended early.
        """
        fallback = f"{RENDERS}/{_segment(render.render_id)}/download"
        async with contextlib.AsyncExitStack() as stack:
            found, refused = None, None
            if (link := self._link(render.url)) is not None:
                try:
                    found = await self._fetch(stack, Call("GET", link.path), link, who, by_link=True)
                except HostNotAllowed as error:
                    refused = error
                except NemoError:
                    pass  # The other way may be open.
            if found is None:
                call = Call("GET", fallback)
                try:
                    found = await self._fetch(stack, call, self._wire.url(fallback), who, by_link=False)
                except NemoError as error:
                    if refused is not None:
                        raise refused from error
                    raise
            yield found

    async def _fetch(
        self, stack: contextlib.AsyncExitStack, call: Call, url: httpx.URL, who: Credentials, *, by_link: bool
    ) -> Download:
        """Begin to fetch; the stack closes what was opened."""
        ends_s = asyncio.get_running_loop().time() + self._timeouts.download_total_s
        for _ in range(MAX_REDIRECTS + 1):
            response = await stack.enter_async_context(
                contextlib.aclosing(await self._open_media(call, url, who))
            )
            if not response.has_redirect_location:
                break
            try:
                url = url.join(response.headers["location"])
            except (httpx.InvalidURL, ValueError) as error:
                raise UnexpectedAnswer(call, "a redirect to nowhere", status=response.status_code) from error
        else:
            raise UnexpectedAnswer(call, "too many redirects", status=response.status_code)
        kind = media_type(response)
        if not response.is_success or kind.endswith("json") or kind == "text/html":
            checked(call, response, await read_body(call, response), who.token)
            raise UnexpectedAnswer(call, f"{kind} in place of a video", status=response.status_code)
        size = size_of(response)
        if size == 0:
            raise UnexpectedAnswer(call, "an empty file", status=response.status_code)
        return Download(size, _until(call, read_chunks(call, response), ends_s), kind, by_link)

    async def _open_media(self, call: Call, url: httpx.URL, who: Credentials) -> httpx.Response:
        limits = self._wire.limits(self._timeouts.download_stall_s)
        if origin(url) == origin(self._wire.base_url):
            return await self._wire.send(call, url, {**headers_for(who), **_STREAMED}, None, limits)
        host = url.raw_host.decode("ascii", "replace")
        if self._media is None or not self._media.allows(url.scheme, host, url.port):
            raise HostNotAllowed(call, f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}")
        return await self._wire.send(call, url, _STREAMED, None, limits, self._media.http)

    def _link(self, url: str | None) -> httpx.URL | None:
        if not url:
            return None
        try:
            link = self._wire.base_url.join(url)
        except (httpx.InvalidURL, ValueError):
            return None
        return link if link.scheme in ("http", "https") and link.host else None


async def _until(call: Call, chunks: AsyncIterator[bytes], ends_s: float) -> AsyncIterator[bytes]:
    """Chunks until a time of the loop's; a server that trickles would keep its reader for ever."""
    loop = asyncio.get_running_loop()
    async for chunk in chunks:
        if loop.time() > ends_s:
            raise TransportError(call, "the download took too long", sent=True)
        yield chunk


def _events(frames: Iterable[ServerSentEvent | None]) -> Iterator[Event]:
    for frame in frames:
        if frame is None:
            yield KeepAlive()
        elif frame.event == OVERSIZED:
            yield Unknown(OVERSIZED)
        else:
            yield from read_event(frame.data, "" if frame.event == "message" else frame.event)


def _segment(value: str) -> str:
    """One part of a path, wherever the value came from."""
    quoted = quote(value, safe="", errors="replace")
    # "." and ".." would walk up the path, and clients undo their escaping.
    return quoted if quoted.strip(".") else "-"
