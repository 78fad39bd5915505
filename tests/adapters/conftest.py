"""What the tests of the adapters share: AWS in memory, a container to launch, and a stream to deliver."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.kick_off_job import start_next
from background_jobs.control_plane.stream import handle_records
from background_jobs.core.events import JobError
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.ids import next_stage_id
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service import Orchestration
from background_jobs.orchestration_service.schedules import Schedules
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.worker import instance
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.instance import describe_error
from background_jobs.worker.supervisor import Predecessor
from tests.adapters.jobs import Died, halve
from tests.adapters.scheduling import Clock
from tests.memory import SETTINGS, aws_in_memory
from tests.unit.histories import at


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    with aws_in_memory():
        yield


@pytest.fixture(autouse=True, scope="session")
def commands_made_once() -> Iterator[None]:
    """Make the commands of the command line once: a process does, however often these tests call them."""
    with patch("typer.testing._get_command", cache(get_command)):
        yield


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


@pytest.fixture
def stores(settings: Settings) -> Stores:
    return Stores.of(settings)


@pytest.fixture
def dynamodb_calls() -> list[str]:
    """The calls of DynamoDB that the test makes."""
    calls: list[str] = []
    clients.dynamodb().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: calls.append(model.name)
    )
    return calls


@pytest.fixture
def service(settings: Settings) -> OrchestrationService:
    return OrchestrationService(settings)


@pytest.fixture
def launch(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Launch a container for one share, as the state machine does; it returns what its process ends with."""

    def describe_unless_died(error: BaseException) -> JobError:
        if issubclass(type(error), Died):  # an error may hide its class
            raise error
        return describe_error(error)

    monkeypatch.setattr(instance, "describe_error", describe_unless_died)

    def launch(
        orchestration: Orchestration,
        share: int = 0,
        jobs: Jobs | None = None,
        predecessor: Predecessor | None = None,
        **variables: str,
    ) -> int:
        started = stores.event_log.read_started(orchestration.id)
        line = json.loads(list(stores.payloads.lines(started.shares_key))[share])
        environment = {
            "JOB_NAME": started.job_name,
            "ORCHESTRATION_ID": orchestration.id,
            "JOB_ID": line["job_id"],
            "JOB_SHARE": line["share"],
            "JOB_INDICES": line["indices"],
            "JOB_PARAMS_KEY": started.params_key,
            "JOB_PARAMS_BYTES": line["bytes"],
            "BACKGROUND_JOBS_SERVICE": started.service,
            **variables,
        }
        container_settings = ContainerSettings.from_env(environment)
        shared = SharedCurrentAttempt()
        return Container(jobs or Jobs([halve]), container_settings, stores, shared, predecessor).work()

    return launch


@pytest.fixture
def given_up() -> list[UnreadableRecord]:
    """What the aggregator gave up, because it cannot be read."""
    return []


@pytest.fixture
def aggregate(
    stores: Stores, settings: Settings, given_up: list[UnreadableRecord]
) -> Callable[[], list[dict[str, Any]]]:
    """Deliver the whole log to the aggregator, as the stream does; return what it asks to have again."""
    bus = EventBus(clients.events(), settings.event_bus)
    aggregator = Aggregator(stores.event_log, stores.read_model, bus, clock=lambda: at(0))

    def aggregate() -> list[dict[str, Any]]:
        items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
        records = [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(number), "NewImage": item}}
            for number, item in enumerate(items)
        ]
        return list(handle_records(records, aggregator.aggregate, given_up.append)["batchItemFailures"])

    return aggregate


@pytest.fixture
def aggregate_completion(aggregate: Callable[[], list[dict[str, Any]]]) -> Callable[[], None]:
    """Aggregate the outcomes, and then the completion that the first pass appended to the log."""

    def aggregate_completion() -> None:
        for _ in ("the outcomes", "the completion"):
            assert aggregate() == []

    return aggregate_completion


@pytest.fixture
def done(
    service: OrchestrationService, launch: Callable[..., None], aggregate_completion: Callable[[], None]
) -> str:
    """An orchestration that ended: 2 and 4 halved, 3 and 5 refused."""
    orchestration = service.kick_off_job(
        "halve", [{"n": n} for n in (2, 3, 4, 5)], parallelism=1, tags={"customer": "acme"}
    )
    launch(orchestration)
    aggregate_completion()
    return orchestration.id


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedules(settings: Settings, stores: Stores, clock: Clock) -> Schedules:
    return Schedules(settings, stores, clock)


@pytest.fixture
def complete(
    service: OrchestrationService, launch: Callable[..., None], aggregate_completion: Callable[[], None]
) -> Callable[[str | None], None]:
    """Run an orchestration to its end, before its schedule learns of it."""

    def complete(orchestration_id: str | None) -> None:
        assert orchestration_id is not None
        launch(service.orchestration(orchestration_id))
        aggregate_completion()

    return complete


@pytest.fixture
def to_the_end(
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    aggregate_completion: Callable[[], None],
) -> Callable[..., str]:
    """Run an orchestration to its end and start its next stage; return the id of that stage."""

    def run_to_the_end(orchestration_id: str, jobs: Jobs | None = None) -> str:
        for share in range(stores.event_log.read_started(orchestration_id).parallelism):
            launch(OrchestrationService(settings).orchestration(orchestration_id), share, jobs=jobs)
        aggregate_completion()
        start_next("default", orchestration_id, stores, settings)
        assert aggregate() == []
        return next_stage_id(orchestration_id)

    return run_to_the_end
