"""The spans of kick-offs, containers and attempts, named by the conventions for messaging.

Source: OpenTelemetry, "Semantic conventions for messaging spans".
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from background_jobs.core.events import (
    JobAttemptFailed,
    JobError,
    JobErrored,
    JobEvent,
    OrchestrationStarted,
)
from background_jobs.jobs import JobContext
from background_jobs.settings import is_tracing_asked_for, publish_traceparent
from background_jobs.tracing import TracedContainer
from background_jobs.tracing.exporting import flush, make_provider

_W3C: Final = TraceContextTextMapPropagator()
_TRACEPARENT: Final = "traceparent"


def find_tracing() -> "OpenTelemetry | None":
    """Return what traces by the provider of this process, or where it has none, by one of our own."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        return OpenTelemetry(provider)
    return OpenTelemetry(_provider_of_callers()) if is_tracing_asked_for() else None


def provide_tracing(service: str) -> "OpenTelemetry | None":
    """Return what traces by the provider of this process; where it has none, it gets one of our own."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        if not is_tracing_asked_for():
            return None
        # A container ends without the handlers of atexit of what runs in it, and sends before.
        provider = make_provider(service, shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    return OpenTelemetry(provider)


@cache
def _provider_of_callers() -> trace.TracerProvider:
    return make_provider(None, shutdown_on_exit=True)


class OpenTelemetry:
    """Makes spans by *provider*."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("background_jobs")
        self._parent_of_attempts: Context | None = None

    @contextmanager
    def kick_off(
        self, job_name: str, parent: str | None
    ) -> Iterator[Callable[[OrchestrationStarted], OrchestrationStarted]]:
        """Trace a kick-off; what it gives adds the ``traceparent`` to the event."""
        context = _context_of(parent) if parent else None
        attributes = _messaging("send", job_name)
        with self._tracer.start_as_current_span(
            f"send {job_name}", context, trace.SpanKind.PRODUCER, attributes
        ) as span:

            def add_to(started: OrchestrationStarted) -> OrchestrationStarted:
                span.set_attribute("background_jobs.orchestration_id", started.orchestration_id)
                span.set_attribute("messaging.batch.message_count", started.total)
                return started.model_copy(update={"traceparent": _traceparent() or parent})

            yield add_to

    @contextmanager
    def container(self, container: TracedContainer) -> Iterator[None]:
        """Trace a container, and send what was traced at its end."""
        started = container.started
        attributes: dict[str, str | int] = {
            "background_jobs.job_name": started.job_name,
            "background_jobs.orchestration_id": started.orchestration_id,
            "background_jobs.share": container.share,
            "background_jobs.launch": container.launch,
        }
        try:
            with self._tracer.start_as_current_span(
                f"container {started.job_name}", _context_of(started.traceparent), attributes=attributes
            ) as span:
                self._parent_of_attempts = trace.set_span_in_context(span)
                publish_traceparent(_traceparent())
                yield
        finally:
            self.flush()

    @contextmanager
    def attempt(self, attempt: JobContext) -> Iterator[Callable[[JobEvent], None]]:
        """Trace an attempt; what it gives takes the event of its end."""
        attributes = _messaging("process", attempt.job_name) | {
            "messaging.message.id": attempt.job_id,
            "background_jobs.orchestration_id": attempt.orchestration_id,
            "background_jobs.index": attempt.index,
            "background_jobs.attempt": attempt.attempt,
        }
        with self._tracer.start_as_current_span(
            f"process {attempt.job_name}", self._parent_of_attempts, trace.SpanKind.CONSUMER, attributes
        ) as span:
            yield lambda event: _note_end(span, event)

    def flush(self) -> bool:
        """Send what was traced until now; tell whether that was done within some seconds."""
        return flush(self._provider)


def _messaging(operation: str, job_name: str) -> dict[str, str | int]:
    return {
        "messaging.system": "background_jobs",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": job_name,
    }


def _note_end(span: trace.Span, event: JobEvent) -> None:
    match event:
        case JobAttemptFailed(error=error):
            seconds = (event.retry_at - event.at).total_seconds()
            _note_error(span, error)
            span.add_event("retry", {"background_jobs.retry_in_seconds": seconds})
        case JobErrored(error=error):
            _note_error(span, error)
        case _:
            pass


def _note_error(span: trace.Span, error: JobError) -> None:
    span.set_status(trace.StatusCode.ERROR, f"{error.type}: {error.message}")
    span.set_attribute("error.type", error.type)
    described: Mapping[str, str] = {
        "exception.type": error.type,
        "exception.message": error.message,
        "exception.stacktrace": error.traceback,
    }
    span.add_event("exception", described)


def _context_of(traceparent: str | None) -> Context:
    return _W3C.extract({_TRACEPARENT: traceparent} if traceparent else {}, Context())


def _traceparent() -> str | None:
    """Return the current span as W3C writes it; None where there is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get(_TRACEPARENT)
