"""OpenTelemetry spans: off, and nearly free, unless the extra ``otel`` is installed and an exporter's address is set.

A span holds neither texts of errors nor URLs, which may contain the bot's token, and no chat's id.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from bot.runtime.terminal import CommandError

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

_tracer: trace.Tracer | None = None  # None while tracing is off: even a span that is not recorded takes 20 µs


def configure_tracing() -> None:
    """Export spans if ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set; OpenTelemetry's other variables apply too.

    Raises:
        CommandError: The extra is not installed.
    """
    global _tracer
    if not os.environ.get(ENDPOINT):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise CommandError(f"{ENDPOINT}: needs the extra: nemovideo-bot[otel]") from error
    os.environ.setdefault("OTEL_SERVICE_NAME", "nemovideo-bot")
    provider = TracerProvider(resource=Resource.create())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # for docket
    _tracer = provider.get_tracer("nemovideo-bot")


@contextlib.contextmanager
def traced(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    quiet: type[BaseException] | tuple[type[BaseException], ...] = asyncio.CancelledError,
    **attributes: str,
) -> Iterator[Span]:
    """Make a span around a block, below the one that is current; docket has one for each ticket.

    Args:
        name: Its name, from a small set.
        kind: Its kind.
        quiet: Exceptions that are no errors.
        attributes: Its attributes; two underscores in a name stand for a dot.
    """
    if _tracer is None:
        yield trace.INVALID_SPAN
        return
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name, kind=kind, attributes=named, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except BaseException as error:
            if not isinstance(error, quiet):
                span.set_attribute("exception.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
            raise
