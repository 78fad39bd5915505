"""Traces of kick-offs, containers and attempts, where OpenTelemetry is installed and asked for.

Without that nothing of it is imported, and every method here is one that does nothing.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from background_jobs.core.events import JobEvent, OrchestrationStarted
from background_jobs.jobs import JobContext
from background_jobs.settings import is_tracing_asked_for

_SDK: Final = "opentelemetry.sdk.trace"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TracedContainer:
    """The container that a span is of."""

    started: OrchestrationStarted
    share: int
    launch: int


class Tracing(Protocol):
    """What makes spans; each context is the current one inside of it."""

    def kick_off(
        self, job_name: str, parent: str | None
    ) -> AbstractContextManager[Callable[[OrchestrationStarted], OrchestrationStarted]]:
        """Trace a kick-off; what it gives adds the ``traceparent`` to the event. *parent* is another one."""

    def container(self, container: TracedContainer) -> AbstractContextManager[None]:
        """Trace a container, and send what was traced at its end."""

    def attempt(self, attempt: JobContext) -> AbstractContextManager[Callable[[JobEvent], None]]:
        """Trace an attempt; what it gives takes the event of its end."""

    def flush(self) -> bool:
        """Send what was traced until now; tell whether that was done within some seconds."""


class NoTracing:
    """Traces nothing; a *parent* that was given is kept for whatever can."""

    @staticmethod
    def kick_off(
        job_name: str, parent: str | None
    ) -> AbstractContextManager[Callable[[OrchestrationStarted], OrchestrationStarted]]:
        """Keep *parent*."""
        del job_name
        return nullcontext(lambda started: started.model_copy(update={"traceparent": parent}))

    @staticmethod
    def container(container: TracedContainer) -> AbstractContextManager[None]:
        """Do nothing."""
        del container
        return nullcontext()

    @staticmethod
    def attempt(attempt: JobContext) -> AbstractContextManager[Callable[[JobEvent], None]]:
        """Do nothing."""
        del attempt
        return _NOTHING

    @staticmethod
    def flush() -> bool:
        """Do nothing."""
        return True


def _ignore(_event: JobEvent) -> None:
    pass


_NOTHING: Final = nullcontext(_ignore)
NO_TRACING: Final = NoTracing()


def tracing_of_caller() -> Tracing:
    """Return what traces kick-offs: by the caller's own provider, or by one of ours that nobody else sees."""
    if not (is_tracing_asked_for() or _SDK in sys.modules):
        return NO_TRACING
    try:
        from background_jobs.tracing.spans import find_tracing  # noqa: PLC0415 -- OpenTelemetry takes 100 ms
    except ImportError:
        return NO_TRACING
    return find_tracing() or NO_TRACING


def tracing_of_container(service: str) -> Tracing:
    """Return what traces the attempts of a container of *service*, and is the provider of its jobs, too."""
    if not (is_tracing_asked_for() or _SDK in sys.modules):
        return NO_TRACING
    try:
        from background_jobs.tracing.spans import provide_tracing  # noqa: PLC0415 -- see above
    except ImportError as absent:
        _log.warning("Nothing is traced: %s. Install background-job-service[otel] into the image.", absent)
        return NO_TRACING
    return provide_tracing(service) or NO_TRACING
