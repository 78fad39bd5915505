"""Ending an orchestration from outside: it was cancelled, or its execution came to an end it should not."""

import logging
from collections.abc import Mapping
from typing import Any

from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.aws.tasks import Tasks
from background_jobs.control_plane.close_unfinished import CloseRequest, TaskError, close_unfinished
from background_jobs.core.bus import CANCELLED_DETAIL_TYPE
from background_jobs.core.containers.variables import task_family
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import OrchestrationCancelled
from background_jobs.core.ids import is_orchestration_id

_log = logging.getLogger(__name__)


class OrchestrationEnder:
    """Stops what runs for an orchestration, then gives the rest its outcomes; harmless when repeated."""

    def __init__(self, environment: str, stores: Stores, state_machine: StateMachine, tasks: Tasks) -> None:
        self._environment = environment
        self._stores = stores
        self._state_machine = state_machine
        self._tasks = tasks

    def heard(self, event: Mapping[str, Any]) -> None:
        """Take an event of EventBridge: a cancellation, or the end of an execution."""
        if event["detail-type"] == CANCELLED_DETAIL_TYPE:
            self.cancelled(OrchestrationCancelled.model_validate(event["detail"]))
        else:
            self.execution_ended(event["detail"])

    def cancelled(self, event: OrchestrationCancelled) -> None:
        """End an orchestration that was cancelled."""
        reason = event.reason or "The orchestration was cancelled."
        # First of all nothing new may be launched.
        self._state_machine.stop(event.orchestration_id, "Cancelled", reason)
        self._end(event.orchestration_id, "Cancelled", reason)

    def execution_ended(self, detail: Mapping[str, Any]) -> None:
        """End the orchestration of an execution that failed, timed out or was aborted."""
        orchestration_id = str(detail["name"])
        if not is_orchestration_id(orchestration_id):
            # A child of the Distributed Map; its parent looks after it.
            return
        said = ": ".join(str(detail[name]) for name in ("error", "cause") if detail.get(name))
        message = f"The execution ended as {detail['status']}" + (f" ({said})." if said else ".")
        _, cancellation = self._stores.event_log.read_started_and_cancelled(orchestration_id)
        if cancellation is None:
            self._end(orchestration_id, "ExecutionEnded", message)

    def _end(self, orchestration_id: str, error: str, message: str) -> None:
        try:
            started = self._stores.event_log.read_started(orchestration_id)
        except OrchestrationNotFound:
            # A stage that was cancelled before the one before it had completed; it will not be started.
            return
        family = task_family(self._environment, started.service)
        stopped = self._tasks.stop(family, orchestration_id, message)
        request = CloseRequest(orchestration_id=orchestration_id, error=TaskError(Error=error, Cause=message))
        closed = close_unfinished(request, self._stores)
        _log.info(
            "Ended an orchestration",
            extra={
                "orchestration_id": orchestration_id,
                "error": error,
                "stopped": stopped,
                "closed": closed,
            },
        )
