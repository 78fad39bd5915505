"""Ending an orchestration from outside: it was cancelled, or its execution failed."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from background_jobs.aws.event_bus import Cancellation
from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.aws.tasks import Tasks
from background_jobs.control_plane.close_unfinished import (
    CloseRequest,
    TaskError,
    cancelled_error,
    close_unfinished,
)
from background_jobs.core.containers.variables import task_family
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.ids import orchestration_of_execution

_log = logging.getLogger(__name__)


class CancellationDelivery(BaseModel):
    """A cancellation as EventBridge delivers it from our bus."""

    detail_type: Literal["OrchestrationCancelled"] = Field(alias="detail-type")
    detail: Cancellation


class EndedExecution(BaseModel):
    """What Step Functions says of an execution that has ended."""

    name: str
    status: str
    error: str | None = None
    cause: str | None = None


class ExecutionDelivery(BaseModel):
    """The end of an execution as EventBridge delivers it from Step Functions."""

    detail_type: Literal["Step Functions Execution Status Change"] = Field(alias="detail-type")
    detail: EndedExecution


_EVENT: Final[TypeAdapter[CancellationDelivery | ExecutionDelivery]] = TypeAdapter(
    CancellationDelivery | ExecutionDelivery
)


class OrchestrationEnder:
    """Stops the tasks of an orchestration, then closes what has no outcome; harmless when repeated."""

    def __init__(self, environment: str, stores: Stores, state_machine: StateMachine, tasks: Tasks) -> None:
        self._environment = environment
        self._stores = stores
        self._state_machine = state_machine
        self._tasks = tasks

    def handle_event(self, event: Mapping[str, Any], is_over: Callable[[], bool] = lambda: False) -> None:
        """End the orchestration of an event of EventBridge: a cancellation, or the end of an execution.

        Throttling is waited out until *is_over* says that there is no more time.
        """
        match _EVENT.validate_python(event):
            case CancellationDelivery(detail=cancellation):
                self.end_cancelled(cancellation, is_over)
            case ExecutionDelivery(detail=execution):
                self.end_execution(execution, is_over)

    def end_cancelled(self, event: Cancellation, is_over: Callable[[], bool] = lambda: False) -> None:
        """End an orchestration that was cancelled."""
        error = cancelled_error(event.reason)
        # The execution is stopped first, so that it launches no new tasks.
        self._state_machine.stop(event.service, event.orchestration_id, error.error, error.cause)
        self._end(event.service, event.orchestration_id, error, is_over)

    def end_execution(self, execution: EndedExecution, is_over: Callable[[], bool] = lambda: False) -> None:
        """End the orchestration of an execution that failed, timed out or was aborted."""
        place = orchestration_of_execution(execution.name)
        if place is None:
            # It is a child of the Distributed Map, whose parent execution takes care of it.
            return
        service, orchestration_id = place
        reason = ": ".join(filter(None, (execution.error, execution.cause)))
        message = f"The execution ended as {execution.status}" + (f" ({reason})." if reason else ".")
        event_log = self._stores.event_log.for_service(service)
        if event_log.read_cancelled(orchestration_id) is None:
            error = TaskError(Error="ExecutionEnded", Cause=message)
            self._end(service, orchestration_id, error, is_over)

    def _end(
        self, service: str, orchestration_id: str, error: TaskError, is_over: Callable[[], bool]
    ) -> None:
        stores = self._stores.for_service(service)
        try:
            stores.event_log.read_started(orchestration_id)
        except OrchestrationNotFound:
            # It is a stage that was cancelled before it had started, and it will not be started now.
            return
        family = task_family(self._environment, service)
        stopped = self._tasks.stop(family, orchestration_id, error.cause)
        request = CloseRequest(orchestration_id=orchestration_id, service=service, error=error)
        closed = close_unfinished(request, stores, is_over)
        _log.info(
            "Ended an orchestration",
            extra={
                "orchestration_id": orchestration_id,
                "error": error.error,
                "stopped": stopped,
                "closed": closed,
            },
        )
