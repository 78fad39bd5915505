"""The loops of an orchestration's handle, in steps that the synchronous and the asynchronous handle run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Generic

from background_jobs.aws.stores import Stores
from background_jobs.core.events import JobErrored
from background_jobs.core.log_lines import LogLine
from background_jobs.core.outcomes import Failure, R_co, Success, as_type
from background_jobs.core.read_model import Summary
from background_jobs.core.statuses import Status
from background_jobs.core.typed_results import ResultType
from background_jobs.orchestration_service.container_logs import LogFilter, follow_logs
from background_jobs.orchestration_service.deadlines import Deadline
from background_jobs.orchestration_service.ended_outcomes import EndedOutcomes
from background_jobs.orchestration_service.job_results import JobResults, partition_outcomes
from background_jobs.orchestration_service.outcomes import (
    NewOutcomes,
    OnGone,
    read_errors,
    read_outcomes_by_status,
)
from background_jobs.orchestration_service.rerun_family import merge_outcomes, read_family
from background_jobs.orchestration_service.steps import Steps, Task, call, emit_each, for_each
from background_jobs.orchestration_service.watching import (
    Update,
    follow_read_model,
    streaming_is_installed,
    wait_until_final,
)

if TYPE_CHECKING:
    from background_jobs.orchestration_service.orchestration import Orchestration


class OrchestrationSteps(Generic[R_co]):
    """The loops of one orchestration; the methods of `Orchestration` describe them."""

    def __init__(
        self,
        orchestration_id: str,
        stores: Stores,
        api_url: str,
        attach: Callable[[str], "Orchestration[R_co]"],
        result_type: ResultType | None = None,
    ) -> None:
        self._id = orchestration_id
        self._stores = stores
        self._api_url = api_url
        self._attach = attach
        self._result_type = result_type

    def wait(self, timeout: float | timedelta | None) -> Task[Summary]:
        """Return the summary once every instance has its outcome."""
        return wait_until_final(self._id, self._stores, Deadline.after(timeout, self._id))

    def results(self, timeout: float | timedelta | None, *, merged: bool) -> Task[JobResults[R_co]]:
        """Return the results once every instance has its outcome; with *merged* those of all reruns, too."""
        deadline = Deadline.after(timeout, self._id)
        return self._merge_results(deadline) if merged else self._read_results(deadline)

    def watch(self, timeout: float | timedelta | None) -> Steps[Update]:
        """Emit an update now and whenever something changed, until the end."""
        deadline = Deadline.after(timeout, self._id)
        if self._api_url and streaming_is_installed():
            from background_jobs.orchestration_service.streaming import follow_api  # noqa: PLC0415 -- an extra

            return follow_api(self._id, self._api_url, self._stores, deadline)
        return follow_read_model(self._id, self._stores, deadline)

    def as_completed(self, timeout: float | timedelta | None) -> Steps[Success[R_co] | Failure]:
        """Emit each outcome, with its params, as soon as it is there."""
        updates = self.watch(timeout)
        started = yield from call(lambda: self._stores.event_log.read_started(self._id))
        with closing(NewOutcomes(started, self._stores)) as outcomes:
            yield from for_each(updates, partial(self._emit_outcomes, outcomes))

    def outcomes(
        self, status: Status | None, on_gone: OnGone | None = None
    ) -> Steps[Success[R_co] | Failure]:
        """Emit the outcomes that there are by now, perhaps of one status."""
        outcomes = read_outcomes_by_status(self._id, status, self._stores, on_gone)
        return emit_each(as_type(outcomes, self._result_type))

    def errors(self, indices: Sequence[int] | None) -> Steps[JobErrored]:
        """Emit why instances gave up."""
        return emit_each(read_errors(self._id, indices, self._stores))

    def log_lines(self, wanted: LogFilter, *, follow: bool) -> Steps[LogLine]:
        """Emit what containers wrote."""
        return follow_logs(self._id, wanted, self._stores, follow=follow)

    def _read_results(self, deadline: Deadline) -> Task[JobResults[R_co]]:
        started = yield from call(lambda: self._stores.event_log.read_started(self._id))
        orchestration = self._attach(self._id)
        with closing(EndedOutcomes(started, self._stores)) as outcomes:
            yield from wait_until_final(self._id, self._stores, deadline, outcomes.read_ahead)
            return (yield from call(lambda: self._partition(outcomes.read_all(), orchestration)))

    def _merge_results(self, deadline: Deadline) -> Task[JobResults[R_co]]:
        members = yield from call(lambda: read_family(self._id, self._stores))
        for member in members:
            member_deadline = Deadline.after(deadline.left, member.id)
            yield from wait_until_final(member.id, self._stores, member_deadline)
        latest = self._attach(members[-1].id)
        return (yield from call(lambda: self._partition(merge_outcomes(members, self._stores), latest)))

    def _partition(
        self, outcomes: Iterator[Success | Failure], orchestration: "Orchestration[R_co]"
    ) -> JobResults[R_co]:
        return partition_outcomes(as_type(outcomes, self._result_type), orchestration)

    def _emit_outcomes(self, outcomes: NewOutcomes, update: Update) -> Steps[Success[R_co] | Failure]:
        return emit_each(as_type(outcomes.read(update), self._result_type))
