"""`BackgroundJobs`: the service in this process, for tests."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from types import TracebackType
from typing import Any, Self

from background_jobs.core.completion import JobCompletedEvent, OrchestrationOutcome
from background_jobs.core.containers.variables import TWIN
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.stages import Stage, refuse_endless
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service.service import OrchestrationService
from background_jobs.settings import DEFAULT_SERVICE, Settings
from background_jobs.testing.bus import Event
from background_jobs.testing.environment import Environment
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
        """Let so much time pass (a timedelta, or seconds), and everything happen that is due meanwhile.

        Raises ValueError if it is negative or infinite.
        """
        seconds = time.total_seconds() if isinstance(time, timedelta) else time
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"{time!r} cannot pass: advance takes seconds, or a timedelta, from 0 on.")
        sleep(self._time, seconds)


class BackgroundJobs:
    """A context in which jobs run in this process: the service's own code, on AWS in memory and virtual time.

    *jobs* are those of the service ``default``; *services* has those of others, by the names of services.
    *start* is the time at which the clock begins, with its time zone, by default now. *notify* names the
    channels that kick-offs may name; nobody is told. *settings* override fields of the settings.

    Raises InvalidJob; TypeError for a keyword that is no setting; ValueError for a *start* without a time
    zone, for a default service that is given twice, or for the value of a setting. Opening it raises
    TwinIsNotOpen if another one is open.
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
        _refuse_unknown(settings)
        default = list(jobs)
        if default and DEFAULT_SERVICE in (services or {}):
            raise ValueError(
                f"The list of jobs and services={{{DEFAULT_SERVICE!r}: ...}} are both of the default "
                "service: leave one out."
            )
        named = {name: Jobs(of_service) for name, of_service in (services or {}).items()}
        self._jobs = ({DEFAULT_SERVICE: Jobs(default)} if default or not named else {}) | named
        fields = {
            "environment": TWIN,
            "event_log_table": f"{TWIN}-event-log",
            "read_model_table": f"{TWIN}-read-model",
            "payload_bucket": f"{TWIN}-payloads",
            "service": next(iter(self._jobs)),
            "service_names": tuple(self._jobs),
            "job_names": tuple(sorted({name for of_one in self._jobs.values() for name in of_one.names})),
            "notify_channels": tuple(notify),
            "schedule_function": f"arn:aws:lambda:::function:{TWIN}",
            "schedule_role": f"arn:aws:iam:::role/{TWIN}",
            "schedule_failures": f"arn:aws:sqs:::{TWIN}",
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

    def on_job_completed(
        self,
        handler: Callable[[dict[str, Any], Any], object],
        *,
        job_name: str | None = None,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Have *handler* called with completions: all, or those of a job, an outcome, or tags.

        It is the handler of a Lambda function which a rule of the stack tells of them, and is called with the
        event as EventBridge delivers it, and None for the context. What it raises is raised where time
        passes, unless it is an error of AWS or of the service: after these it is called again, as on AWS.
        """
        pattern = JobCompletedEvent.pattern(job_name=job_name, outcome=outcome, tags=tags)

        def call(event: Event) -> None:
            handler(deepcopy(dict(event)), None)

        self._environment.bus.follow(pattern, call)

    def start_after(
        self,
        rule: str,
        *,
        job_name: str,
        stage: Stage,
        outcome: OrchestrationOutcome | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Have *stage* started when an orchestration of *job_name* has completed, as a rule of the stack.

        Raises ValueError if the stage is of the same job, for then it would follow itself for ever.
        """
        refuse_endless(rule, job_name, stage)
        pattern = JobCompletedEvent.pattern(job_name=job_name, outcome=outcome, tags=tags)
        self._environment.start_after(rule, stage, pattern)

    def run_until_idle(self) -> None:
        """Let time pass until all that was kicked off has ended, but for what schedules will start."""
        self._environment.time.run_until_idle()

    def lose_container(self, index: int | None = None, *, times: int = 1) -> None:
        """Have the container die, *times* times, that runs the instance at *index*, by default any instance.

        The job runs to its end, and what it returned is lost. Raises ValueError for fewer times than one, or
        a negative index.
        """
        self._environment.faults.lose_container(index, times)

    def throttle(self, service: str, *, times: int = 1) -> None:
        """Have the next *times* requests to *service* of AWS throttled.

        As on AWS, the client makes a request five times before the call fails. Raises ValueError for a
        service that cannot be throttled, or for fewer times than one.
        """
        self._environment.faults.throttle(service, times)

    def duplicate(self) -> None:
        """Have stream records, completion events and occurrences of schedules arrive twice from now on."""
        self._environment.faults.delivers_twice = True

    def refuse_launch(self, reason: str, *, times: int = 1) -> None:
        """Have ECS refuse the next *times* launches for *reason*: ``RESOURCE:ENI``, for example.

        Raises ValueError for fewer times than one.
        """
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


def _refuse_unknown(settings: Collection[str]) -> None:
    """Raise TypeError for the first keyword that is no setting."""
    fields = Settings.model_fields
    for name in settings:
        if name not in fields:
            near = get_close_matches(name, fields)
            hint = f"did you mean {' or '.join(near)}?" if near else f"the settings are {', '.join(fields)}."
            raise TypeError(f"BackgroundJobs has no setting {name!r}: {hint}")
