"""`BackgroundJobs`: the service in this process, for tests."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service.service import OrchestrationService
from background_jobs.settings import Settings
from background_jobs.testing.environment import NAME, Environment
from background_jobs.testing.time_patches import sleep
from background_jobs.testing.variables import replaced_variables
from background_jobs.testing.virtual_time import VirtualTime

_open: list["BackgroundJobs"] = []


class TwinIsNotOpen(BackgroundJobsError):
    """A twin was used outside of its context, or while another one is open."""


class VirtualClock:
    """The clock of a twin; nothing waits for it."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._time.now()

    def advance(self, time: timedelta | float) -> None:
        """Let so much time pass (a timedelta, or seconds), and everything happen that is due meanwhile."""
        sleep(self._time, time.total_seconds() if isinstance(time, timedelta) else time)


class BackgroundJobs:
    """A context in which jobs run in this process: the service's own code, on AWS in memory and virtual time.

    *jobs* are those of the service ``default``; *services* has those of others, by the names of services.
    *start* is the time at which the clock begins, with its time zone, by default now. *notify* names the
    channels that kick-offs may name; nobody is told. *settings* override fields of the settings.

    Raises InvalidJob, TwinIsNotOpen, or ValueError for a *start* without a time zone.
    """

    def __init__(
        self,
        jobs: Iterable[object] = (),
        *,
        services: Mapping[str, Iterable[object]] | None = None,
        start: datetime | None = None,
        notify: Collection[str] = (),
        **settings: Any,  # noqa: ANN401 -- fields of Settings
    ) -> None:
        if start is not None and start.utcoffset() is None:
            raise ValueError(
                f"start={start!r} has no time zone: write datetime(..., tzinfo=UTC), for example."
            )
        default = list(jobs)
        named = {name: Jobs(of_service) for name, of_service in (services or {}).items()}
        self._jobs = ({"default": Jobs(default)} if default or not named else {}) | named
        fields = {
            "environment": NAME,
            "event_log_table": f"{NAME}-event-log",
            "read_model_table": f"{NAME}-read-model",
            "payload_bucket": f"{NAME}-payloads",
            "service": next(iter(self._jobs)),
            "service_names": tuple(self._jobs),
            "job_names": tuple(sorted({name for of_one in self._jobs.values() for name in of_one.names})),
            "notify_channels": tuple(notify),
            "schedule_function": f"arn:aws:lambda:::function:{NAME}",
            "schedule_role": f"arn:aws:iam:::role/{NAME}",
            "schedule_failures": f"arn:aws:sqs:::{NAME}",
        }
        self.settings = Settings.model_validate(fields | settings)
        self._environment = Environment(self._jobs, self.settings, start or datetime.now(UTC))
        self.clock = VirtualClock(self._environment.time)
        self._closing = ExitStack()
        self._service: OrchestrationService | None = None

    @property
    def service(self) -> OrchestrationService:
        """Return the service of callers, which is the real one. Raises TwinIsNotOpen."""
        if self._service is None:
            raise TwinIsNotOpen("The twin is not open: use it in `with BackgroundJobs([...]) as jobs:`.")
        return self._service

    @property
    def completed_events(self) -> list[JobCompletedEvent]:
        """Return the completion events that were published so far, in their order."""
        return list(self._environment.bus.completed)

    def run_until_idle(self) -> None:
        """Let time pass until all that was kicked off has ended, but for what schedules will start."""
        self._environment.time.run_until_idle()

    def lose_container(self, index: int | None = None, *, times: int = 1) -> None:
        """Have the container die, *times* times, that runs the instance at *index*, by default any instance.

        The job runs to its end, and what it returned is lost.
        """
        self._environment.faults.lose_container(index, times)

    def throttle(self, service: str, *, times: int = 1) -> None:
        """Have the next *times* requests to *service* of AWS throttled.

        As on AWS, the client makes a request five times before the call fails. Raises ValueError for a
        service that cannot be throttled.
        """
        self._environment.faults.throttle(service, times)

    def duplicate(self) -> None:
        """Have stream records, completion events and occurrences of schedules arrive twice from now on."""
        self._environment.faults.delivers_twice = True

    def refuse_launch(self, reason: str, *, times: int = 1) -> None:
        """Have ECS refuse the next *times* launches for *reason*: ``RESOURCE:ENI``, for example."""
        self._environment.faults.refuse_launch(reason, times)

    def __enter__(self) -> Self:
        if _open:
            raise TwinIsNotOpen(
                "Another twin is open: close it first, for both stand for AWS in this process."
            )
        variables = self.settings.to_env()
        with ExitStack() as opening:
            opening.enter_context(replaced_variables(variables, Settings.variable_names() - variables.keys()))
            opening.enter_context(self._environment.open())
            self._service = OrchestrationService(self.settings)
            _open.append(self)
            opening.callback(_open.remove, self)
            self._closing = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service = None
        self._closing.close()
