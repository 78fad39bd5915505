"""The handle of an orchestration: where it stands, and what came of it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Unpack

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import JobErrored, OrchestrationCancelled
from background_jobs.core.fold import Summary
from background_jobs.core.limits import REASON_CHARACTERS
from background_jobs.core.options import RerunKeywords
from background_jobs.core.outcomes import Failure, Success
from background_jobs.core.statuses import State, Status
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.event_history import EventHistory
from background_jobs.core.views.live import indices_in_states
from background_jobs.core.views.waits import Wait
from background_jobs.orchestration_service.event_history import read_event_history, read_waits
from background_jobs.orchestration_service.job_results import JobResults, parted
from background_jobs.orchestration_service.outcomes import Outcomes
from background_jobs.orchestration_service.rerun import rerun
from background_jobs.orchestration_service.rerun_family import family, merge_outcomes
from background_jobs.orchestration_service.results import (
    digest,
    read_all_outcomes,
    read_outcome_events,
    read_outcomes_by_state,
)
from background_jobs.orchestration_service.watching import (
    Deadline,
    Update,
    current_summary,
    streaming_is_installed,
    updates,
)
from background_jobs.settings import Settings

if TYPE_CHECKING:
    from background_jobs.orchestration_service.pipeline import Pipeline


class Cancellation(StrEnum):
    """What a call of cancel found."""

    REQUESTED = "requested"
    ALREADY_CANCELLED = "already cancelled"
    ALREADY_DONE = "already done"


class Orchestration:
    """One kick-off of a job; any process can re-attach to it by its id."""

    def __init__(self, orchestration_id: str, job_name: str, stores: Stores, settings: Settings) -> None:
        self.id = orchestration_id
        self.job_name = job_name
        self.stores = stores
        self.settings = settings

    def __repr__(self) -> str:
        return f"Orchestration(id={self.id!r}, job_name={self.job_name!r})"

    def summary(self) -> Summary:
        """Return where the orchestration stands, in one small read."""
        return current_summary(self.id, self.stores)

    def done(self) -> bool:
        """Tell whether every instance has its outcome."""
        return self.summary().all_final

    def wait(self, timeout: float | timedelta | None = None) -> Summary:
        """Wait until every instance has its outcome. Raises TimeoutError after *timeout* (seconds)."""
        deadline = Deadline.after(timeout, self.id)
        while not (summary := self.summary()).all_final:
            deadline.check(summary)
            time.sleep(deadline.pause())
        return summary

    def results(self, timeout: float | timedelta | None = None, *, merged: bool = False) -> JobResults:
        """Wait, then return ``(successes, failures)``; *failures* is None when there are none.

        With *merged*, the answer is one over this orchestration and all its reruns. Raises TimeoutError after
        *timeout* (seconds, or a timedelta), or PayloadNotFound once params or results have expired.
        """
        if not merged:
            self.wait(timeout)
            return parted(read_all_outcomes(self.stores.event_log.read_started(self.id), self.stores), self)
        members, deadline = family(self.id, self.stores), Deadline.after(timeout, self.id)
        for member in members:
            self._relative(member.id).wait(deadline.left)
        return parted(merge_outcomes(members, self.stores), self._relative(members[-1].id))

    def rerun(self, **options: Unpack[RerunKeywords]) -> "Orchestration":
        """Kick off a new orchestration with the params of the failures (``only="failed"``), or of all.

        The job is looked up anew, so it may be new code. *parallelism*, *retry*, *timeout* and *tags* are
        those of this orchestration unless given; *key* makes the rerun idempotent. Where a pipeline stopped
        here, it goes on after the rerun, with the results of both.

        Raises InvalidKickOff while it still runs or where nothing is to run again, or PayloadNotFound once
        the params have expired.
        """
        return self._relative(rerun(self.id, self.stores, self.settings, **options))

    def digest(self) -> FailureDigest:
        """Return the failures by now, grouped by cause, with the params that those of a cause share.

        Raises PayloadNotFound once the params have expired.
        """
        return digest(self.id, self.stores)

    def story(self) -> EventHistory:
        """Return what happened so far: a timeline, the containers, and why instances wait."""
        return read_event_history(self.id, self.stores)

    def waits(self) -> list[Wait]:
        """Return why instances wait, and since when; nothing where none does."""
        return read_waits(self.id, self.stores)

    def pipeline(self) -> "Pipeline":
        """Return the pipeline that this orchestration is a stage of; one without stages is its own."""
        from background_jobs.orchestration_service.pipeline import Pipeline  # noqa: PLC0415 -- made of these

        started = self.stores.event_log.read_started(self.id)
        return Pipeline(self._relative(started.pipeline_id or self.id))

    def cancel(self, reason: str = "") -> Cancellation:
        """Ask for the end: what has no outcome yet is Errored as Cancelled, and its containers are stopped.

        Jobs that look at `JobContext.cancelled` may end well first. Cancelling twice, or after the end, is
        harmless; the answer says what was found.
        """
        if self.done():
            return Cancellation.ALREADY_DONE
        event = OrchestrationCancelled(
            orchestration_id=self.id, at=datetime.now(UTC), reason=reason[:REASON_CHARACTERS]
        )
        try:
            self.stores.event_log.append(event)
        except EventConflict:
            return Cancellation.ALREADY_CANCELLED
        return Cancellation.REQUESTED

    def watch(self, timeout: float | timedelta | None = None) -> Iterator[Update]:
        """Yield an update now and whenever something changed, and end by itself.

        Where the address of the progress API is set, the updates are its server-sent events; where it is not,
        the read model is looked at now and then. Raises TimeoutError after *timeout* (seconds, or a
        timedelta).
        """
        return self._updates(Deadline.after(timeout, self.id))

    def as_completed(self, timeout: float | timedelta | None = None) -> Iterator[Success | Failure]:
        """Yield each outcome, with its params, as soon as it is there, and end by itself.

        Raises TimeoutError after *timeout* (seconds, or a timedelta).
        """
        outcomes = self.outcomes()
        try:
            for update in self._updates(Deadline.after(timeout, self.id)):
                yield from outcomes.among(update)
        finally:
            outcomes.close()

    def ended(self, status: Status | None = None) -> Iterator[Success | Failure]:
        """Yield the outcomes that there are by now, in the order of the params: all, or those of one status.

        It does not wait, and keeps a thousand of them in memory at most.
        """
        states = {State.COMPLETED: Status.COMPLETED, State.ERRORED: Status.ERRORED}
        wanted = [state for state, its_status in states.items() if status in (None, its_status)]
        return read_outcomes_by_state(self.id, wanted, self.stores)

    def errors(self) -> Iterator[JobErrored]:
        """Yield why instances gave up, as far as they have by now, in their order."""
        model = self.stores.read_model.read_snapshot(self.id)
        events = read_outcome_events(self.id, list(indices_in_states(model, {State.ERRORED})), self.stores)
        return (event for event in events if isinstance(event, JobErrored))

    def outcomes(self) -> Outcomes:
        """Return what finds the outcomes that an update tells of."""
        return Outcomes(self.stores.event_log.read_started(self.id), self.stores)

    def _updates(self, deadline: Deadline) -> Iterator[Update]:
        if self.settings.api_url and streaming_is_installed():
            from background_jobs.orchestration_service.streaming import streamed  # noqa: PLC0415 -- an extra

            return streamed(self.id, self.settings.api_url, deadline)
        return updates(self.id, self.stores, deadline)

    def _relative(self, orchestration_id: str) -> "Orchestration":
        return Orchestration(orchestration_id, self.job_name, self.stores, self.settings)
