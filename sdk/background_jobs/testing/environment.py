"""The parts of a twin, put together as the stack of the CDK puts them together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.state_machine import StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.aws.tasks import Tasks
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.end_orchestration import OrchestrationEnder
from background_jobs.control_plane.kick_off_job import (
    follow_completion,
    parse_invocation,
    start_stage_of_rule,
)
from background_jobs.control_plane.start_orchestration import start_orchestration
from background_jobs.core.bus import CANCELLED_DETAIL_TYPE
from background_jobs.core.completion import JobCompletedEvent
from background_jobs.core.containers.variables import TWIN
from background_jobs.core.events import Event as LogEvent
from background_jobs.core.invocations import JobCompletedDelivery, ScheduleRunCompleted, StartStage
from background_jobs.core.job_descriptions import descriptions_key, write_descriptions
from background_jobs.core.schedules.definition import Due
from background_jobs.core.stages import Stage
from background_jobs.core.tables import EVENT_LOG, READ_MODEL
from background_jobs.core.tags import SCHEDULE_TAG
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service.occurrences import OccurrenceRunner
from background_jobs.settings import ExecutionSettings, Settings
from background_jobs.testing.bus import Event, MemoryEventBridge
from background_jobs.testing.deliveries import Deliveries
from background_jobs.testing.dynamodb import MemoryDynamoDB
from background_jobs.testing.executions import MemoryStepFunctions
from background_jobs.testing.fan_out import FanOutParts
from background_jobs.testing.faults import Faults
from background_jobs.testing.s3 import MemoryS3
from background_jobs.testing.scheduler import MemoryScheduler
from background_jobs.testing.stream import LogStream
from background_jobs.testing.tasks import MemoryECS
from background_jobs.testing.time_patches import look, virtual_clock
from background_jobs.testing.virtual_time import VirtualTime

_ARN: Final = f"arn:aws:states:::stateMachine:background-jobs-{TWIN}"


def _describe(jobs: Jobs) -> bytes:
    return write_descriptions(jobs.describe())


class Environment:
    """The clients in memory of one environment, and the functions of its stack."""

    def __init__(self, jobs: Mapping[str, Jobs], settings: Settings, start: datetime) -> None:
        self.settings = settings
        self._job_modules = [module for of_service in jobs.values() for module in of_service.modules]
        self.time = VirtualTime(start)
        self.faults = Faults()
        deliveries = Deliveries(self.time, self.faults)
        self._stream = LogStream(self.time, self.faults)
        dynamodb = MemoryDynamoDB(self.time, self.faults, partial(look, self.time))
        dynamodb.add_table(settings.event_log_table, EVENT_LOG, inserted=self._stream.insert)
        dynamodb.add_table(settings.read_model_table, READ_MODEL, is_looked_at=True)
        self.bus = MemoryEventBridge(self.time, self.faults, deliveries)
        self._ecs = MemoryECS(self.time, self.faults)
        self._stores = Stores.of(settings)
        parts = FanOutParts(
            time=self.time,
            faults=self.faults,
            settings=settings,
            jobs=jobs,
            stores=self._stores,
            ecs=self._ecs,
            deliveries=deliveries,
        )
        self._executions = MemoryStepFunctions(parts)
        s3 = MemoryS3(self.time, self.faults)
        for service, of_service in jobs.items():
            s3.promise(descriptions_key(service), partial(_describe, of_service))
        self._occurrences = OccurrenceRunner.from_settings(settings, self._stores, self.time.now)
        self._clients: dict[str, Any] = {
            "dynamodb": dynamodb,
            "ecs": self._ecs,
            "events": self.bus,
            "s3": s3,
            "scheduler": MemoryScheduler(self.time, self.faults, deliveries, self._run_due),
            "stepfunctions": self._executions,
        }
        self._follow()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Stand for AWS, and for the clock of this package, within the context."""
        with clients.standing_in(self._clients), virtual_clock(self.time, self._job_modules):
            try:
                yield
            finally:
                self._executions.end()

    def _follow(self) -> None:
        state_machine = StateMachine(self._clients["stepfunctions"], _ARN)
        aggregator = Aggregator(
            self._stores.event_log,
            self._stores.read_model,
            EventBus(self._clients["events"], self.settings.event_bus),
            self.time.now,
        )
        execution = ExecutionSettings(state_machine_arn=_ARN, cluster_arn=TWIN)
        definitions = TaskDefinitions(self._clients["ecs"])

        def start(_service: str, _orchestration_id: str, events: Sequence[LogEvent]) -> None:
            start_orchestration(events, self.settings, execution, state_machine, definitions)

        self._stream.follow(start)
        self._stream.follow(aggregator.aggregate)
        tasks = Tasks(self._clients["ecs"], TWIN)
        self._ender = OrchestrationEnder(self.settings.environment, self._stores, state_machine, tasks)
        self.bus.follow({"detail-type": [CANCELLED_DETAIL_TYPE]}, self._ender.handle_event)
        self.bus.follow(JobCompletedEvent.pattern(), self._kick_off_next)

    def start_after(self, rule: str, stage: Stage, pattern: Mapping[str, Any]) -> None:
        """Start *stage* after the completions that *pattern* has, as *rule* of the stack does."""

        def start(event: Event) -> None:
            completed = event["detail"]["orchestration_id"]
            self._invoke(StartStage(orchestration_id=completed, rule=rule, stage=stage).to_input())

        self.bus.follow(pattern, start)

    def _kick_off_next(self, event: Event) -> None:
        """Do what the rules of the stack do: start the next stage, or the occurrence that waits."""
        detail = event["detail"]
        if detail["stages_left"]:
            self._invoke(event)
        if schedule := detail["tags"].get(SCHEDULE_TAG):
            self._invoke(ScheduleRunCompleted(schedule=schedule).to_input())

    def _run_due(self, schedule_input: str) -> None:
        self._invoke(json.loads(schedule_input))

    def _invoke(self, event: Mapping[str, Any]) -> None:
        match parse_invocation(event):
            case Due() as due:
                self._occurrences.run_due(due)
            case ScheduleRunCompleted(schedule=schedule):
                self._occurrences.start_waiting(schedule)
            case JobCompletedDelivery(detail=completed):
                follow_completion(completed, self._occurrences, self._stores, self.settings)
            case StartStage() as request:
                start_stage_of_rule(request, self._stores, self.settings)
