"""Starting the execution that fans an orchestration out, when its kick-off is in the log."""

import logging
from collections.abc import Sequence

from background_jobs.aws.state_machine import FanOutInput, StateMachine
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.control_plane.warm_workers import Offered, WarmOffers
from background_jobs.core.containers.capacity import LATEST, ON_DEMAND
from background_jobs.core.containers.time_allowed import last_moment, longest_container
from background_jobs.core.containers.variables import task_family
from background_jobs.core.events import Event, OrchestrationStarted
from background_jobs.settings import ExecutionSettings, Settings

_log = logging.getLogger(__name__)


def start_orchestration(  # noqa: PLR0913 -- what it asks, and whom it tells
    events: Sequence[Event],
    settings: Settings,
    execution: ExecutionSettings,
    state_machine: StateMachine,
    task_definitions: TaskDefinitions,
    *,
    warm: WarmOffers | None = None,
) -> None:
    """Start an execution for each OrchestrationStarted among *events*; starting twice is harmless.

    All its containers run the revision of the task definition that is the latest now: a deployment meanwhile
    changes neither the image nor the jobs of what runs.

    An orchestration without instances needs no execution: the aggregator completes it.
    """
    for event in events:
        if isinstance(event, OrchestrationStarted) and event.total:
            revision = task_definitions.latest(task_family(settings.environment, event.service))
            offered = warm.offer(event, revision) if warm else Offered()
            end = last_moment(event.at, event.deadline, settings.retention.of(event.service))
            state_machine.start(
                FanOutInput(
                    service=event.service,
                    orchestration_id=event.orchestration_id,
                    job_name=event.job_name,
                    task_definition=revision,
                    capacity_provider=execution.capacity_providers.get(event.service, ON_DEMAND),
                    platform_version=execution.platform_versions.get(event.service, LATEST),
                    bucket=settings.payload_bucket,
                    params_key=event.params_key,
                    shares_key=event.shares_key,
                    parallelism=event.parallelism,
                    total=event.total,
                    container_seconds=longest_container(end - event.at),
                    warm_queue=offered.queue,
                    warm_shares=offered.shares,
                )
            )
            _log.info(
                "Started an execution",
                extra={"orchestration_id": event.orchestration_id, "job_name": event.job_name},
            )
