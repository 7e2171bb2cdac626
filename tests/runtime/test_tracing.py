"""OpenTelemetry's spans: what is in them, what is not, and what they cost while they are off."""

import asyncio
import sys
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from bot.jobs.worker.attempt import JobEnded
from bot.runtime import tracing
from bot.runtime.http import Transport, new_client
from bot.runtime.terminal import CommandError
from bot.telegram.sending.bot import BotRequest
from tests.nemo.servers import free_port, raw_server, read_request
from tests.runtime.test_http import SSL_CONTEXT


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("nemovideo-bot"))
    return exporter


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await read_request(reader)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"ok":true,"result":true}')


async def test_calls_are_spans_below_the_step_without_a_url(exported: InMemorySpanExporter) -> None:
    async with raw_server(_answer) as url, new_client(SSL_CONTEXT) as client:
        with tracing.traced("step upload", job__id="a"):
            await client.post(f"{url}/bot1:hush/sendMessage")
        async with BotRequest(Transport(SSL_CONTEXT)) as request:
            await request.do_request(f"{url}/bot1:hush/getMe", "GET")
    spans = exported.get_finished_spans()
    below, step, small = spans
    assert [span.name for span in spans] == ["HTTP POST", "step upload", "HTTP GET"]
    assert below.parent
    assert step.context
    assert below.parent.span_id == step.context.span_id
    for span in (below, small):
        assert span.attributes == {"server.address": "127.0.0.1", "http.response.status_code": 200}
    assert step.attributes == {"job.id": "a"}
    assert "hush" not in "".join(span.to_json() for span in spans)


async def test_a_failure_is_named_by_its_kind_alone(exported: InMemorySpanExporter) -> None:
    async with new_client(SSL_CONTEXT) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{free_port()}/bot1:hush/getMe")
    (span,) = exported.get_finished_spans()
    assert span.attributes
    assert span.attributes["exception.type"] == "ConnectError"
    assert (span.status.status_code, span.status.description, span.events) == (StatusCode.ERROR, None, ())


def test_the_end_of_a_job_is_no_error(exported: InMemorySpanExporter) -> None:
    with pytest.raises(JobEnded), tracing.traced("step export", quiet=JobEnded):
        raise JobEnded(None)
    assert [_status(span) for span in exported.get_finished_spans()] == [StatusCode.UNSET]


def _status(span: ReadableSpan) -> StatusCode:
    return span.status.status_code


@pytest.fixture
def _no_exporter() -> Iterator[None]:
    hidden = {
        name: module for name, module in sys.modules.items() if name.startswith("opentelemetry.exporter")
    }
    for name in hidden:
        del sys.modules[name]
    sys.modules["opentelemetry.exporter"] = None  # type: ignore[assignment]  # makes its import fail
    yield
    del sys.modules["opentelemetry.exporter"]
    sys.modules.update(hidden)


@pytest.mark.usefixtures("_no_exporter")
def test_without_the_extra_it_is_off_and_says_so_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracing.ENDPOINT, raising=False)
    before = trace.get_tracer_provider()
    tracing.configure_tracing()
    assert trace.get_tracer_provider() is before
    with tracing.traced("step upload") as span:
        assert not span.is_recording()
    monkeypatch.setenv(tracing.ENDPOINT, "http://127.0.0.1:4318")
    with pytest.raises(CommandError, match=r"nemovideo-bot\[otel\]"):
        tracing.configure_tracing()
