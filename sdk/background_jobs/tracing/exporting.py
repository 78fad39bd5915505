"""Sending spans to a collector, from whichever process they are of."""

import os
import threading
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

FLUSH_SECONDS: Final = 5.0
"""How long a process waits at its end for a collector that does not answer."""
_UNKNOWN: Final = "unknown_service"
"""How the name begins that OpenTelemetry gives where nobody gave another."""


class ExportingInEachProcess(SpanProcessor):
    """Exports in batches, with a connection and a thread of its own in each process.

    Processes that are forked from one another would share the connection, and read each other's answers.
    """

    def __init__(self) -> None:
        self._begin_process()
        os.register_at_fork(after_in_child=self._begin_process)

    def _begin_process(self) -> None:
        self._batches: SpanProcessor | None = None
        self._making = threading.Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Add *span* to those that are sent next."""
        self._of_process().on_end(span)

    def shutdown(self) -> None:
        """Send what is left."""
        if self._batches is not None:
            self._batches.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is left."""
        return self._batches is None or self._batches.force_flush(timeout_millis)

    def _of_process(self) -> SpanProcessor:
        if self._batches is None:
            with self._making:
                return self._made_before() or self._make()
        return self._batches

    def _made_before(self) -> SpanProcessor | None:
        return self._batches

    def _make(self) -> SpanProcessor:
        self._batches = BatchSpanProcessor(OTLPSpanExporter())
        return self._batches


def make_provider(service: str | None, *, shutdown_on_exit: bool) -> TracerProvider:
    """Return a provider whose spans are exported as the variables ``OTEL_…`` say."""
    resource = Resource.create()
    if service and str(resource.attributes.get(SERVICE_NAME, "")).startswith(_UNKNOWN):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=shutdown_on_exit)
    provider.add_span_processor(ExportingInEachProcess())
    return provider


def flush(provider: object) -> bool:
    """Have *provider* send what it has; tell whether it was done within a few seconds."""
    force_flush = getattr(provider, "force_flush", None)
    if force_flush is None:
        return True
    sending = threading.Thread(target=force_flush, name="traces", daemon=True)
    sending.start()
    sending.join(FLUSH_SECONDS)
    return not sending.is_alive()
