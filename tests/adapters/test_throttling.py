"""A container whose table is throttled: it waits with the work that it has, and nothing dies of it."""

import json
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ClientError

from background_jobs import Orchestration, OrchestrationService, job_name
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core.blocks import InstanceRange, cut_bodies
from background_jobs.core.events import JobCompleted
from background_jobs.core.ownership import begin
from background_jobs.jobs import Jobs
from background_jobs.worker import recorder, working_time
from background_jobs.worker.event_writer import UNWRITTEN_BYTES, UNWRITTEN_EVENTS
from tests.unit.histories import container_started, job_completed

PAUSES = 0.001
LOOKS = 200


class Body(BytesIO):
    """The body of an answer, as urllib3 streams it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


class Throttle:
    """Refuses calls of DynamoDB as AWS does, until `is_over` says that it has refused enough."""

    def __init__(self, code: str, is_over: Callable[[], bool], operation: str = "PutItem") -> None:
        self.refused = 0
        self._code = code
        self._is_over = is_over
        events: Any = clients.dynamodb().meta.events
        events.register_first(f"before-send.dynamodb.{operation}", self._answer)

    def _answer(self, request: AWSRequest, **_: object) -> AWSResponse | None:
        if self._is_over():
            return None
        self.refused += 1
        document = {"__type": f"com.amazonaws.dynamodb.v20120810#{self._code}", "message": "too fast"}
        headers: Any = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(str(request.url), 400, headers, Body(json.dumps(document).encode()))


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, PAUSES)))
    yield
    clients.forget_clients()


@pytest.fixture
def ran() -> list[int]:
    return []


@pytest.fixture
def jobs(ran: list[int]) -> Jobs:
    @job_name("pad")
    def pad(params: dict[str, int]) -> str:
        ran.append(params["n"])
        return "x" * params["bytes"]

    return Jobs([pad])


def kick_off(service: OrchestrationService, total: int, size: int = 0) -> Orchestration:
    return service.kick_off_job("pad", ({"n": n, "bytes": size} for n in range(total)), parallelism=1)


def completed(stores: Stores, orchestration: Orchestration, total: int) -> list[int]:
    outcomes = stores.event_log.read_outcomes(orchestration.id, 0, total - 1)
    return [outcome.index for outcome in outcomes if isinstance(outcome, JobCompleted)]


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "TransactionConflictException"]
)
def test_a_container_outlasts_throttling_from_its_first_call_on(
    service: OrchestrationService, stores: Stores, launch: Callable[..., None], jobs: Jobs, code: str
) -> None:
    orchestration = kick_off(service, 3)
    throttle = Throttle(code, lambda: throttle.refused >= 60)
    launch(orchestration, jobs=jobs)
    assert throttle.refused == 60
    assert completed(stores, orchestration, 3) == [0, 1, 2]


def test_a_relaunch_outlasts_throttled_reads(
    service: OrchestrationService, stores: Stores, launch: Callable[..., None], jobs: Jobs, ran: list[int]
) -> None:
    # given a launch that died in the midst of its share
    orchestration = kick_off(service, 3)
    instances = InstanceRange("default", orchestration.id, 0, 2)
    event = job_completed(1).model_copy(update={"orchestration_id": orchestration.id})
    stores.event_log.append(container_started().model_copy(update={"orchestration_id": orchestration.id}))
    stores.block_log.run(begin(instances, "launch 0").append(next(cut_bodies([event]))))

    # when another one begins, and the second of its queries is throttled, which reads the range
    queries = [0]

    def is_first_query_or_over() -> bool:
        queries[0] += 1
        return queries[0] == 1 or queries[0] > 60

    throttle = Throttle("ThrottlingException", is_first_query_or_over, "Query")
    launch(orchestration, jobs=jobs)

    # then it does what was left
    assert throttle.refused == 59
    assert ran == [0, 2]
    assert completed(stores, orchestration, 3) == [0, 1, 2]


@pytest.mark.parametrize("operation", ["TransactWriteItems", "Query"])
def test_closing_outlasts_throttling(service: OrchestrationService, stores: Stores, operation: str) -> None:
    orchestration = service.kick_off_job("pad", [{"n": 0, "bytes": 0}] * 3, parallelism=3)
    throttle = Throttle("ThrottlingException", lambda: throttle.refused >= 60, operation)
    assert close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores) == 3
    assert throttle.refused == 60


class StandStill:
    """Tells when a container has begun *least* instances and no more for a while, and how many those are."""

    def __init__(self, ran: list[int], least: float) -> None:
        self.begun = 0
        self._ran = ran
        self._least = least
        self._looks = 0

    def is_reached(self) -> bool:
        if not self._ran:
            return True  # that the container has started is in the log before
        if self._looks < LOOKS:
            stands = self.begun == len(self._ran) >= self._least
            self._looks = self._looks + 1 if stands else 0
            self.begun = len(self._ran)
        return self._looks == LOOKS


@pytest.mark.parametrize(
    ("total", "size", "most"), [(3_000, 0, UNWRITTEN_EVENTS // 2), (500, 24_000, UNWRITTEN_BYTES // 24_000)]
)
def test_jobs_wait_while_much_is_unwritten(  # noqa: PLR0913, PLR0917 -- three of them are of the case
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    jobs: Jobs,
    ran: list[int],
    monkeypatch: pytest.MonkeyPatch,
    total: int,
    size: int,
    most: int,
) -> None:
    # given a table that takes nothing until the container has stopped to begin instances
    # On a slow machine it would stop before, to ask whether its share is still its own.
    monkeypatch.setattr(recorder, "_SILENCE_SECONDS", float("inf"))
    orchestration = kick_off(service, total, size)
    stand_still = StandStill(ran, 0.9 * most)
    Throttle("ProvisionedThroughputExceededException", stand_still.is_reached)

    launch(orchestration, jobs=jobs)

    # then it stopped where it should, and completed them all
    assert stand_still.begun <= most + 1
    assert completed(stores, orchestration, total) == list(range(total))


def test_throttling_ends_a_container_with_its_time(
    service: OrchestrationService, launch: Callable[..., None], jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    orchestration = kick_off(service, 3)
    monkeypatch.setattr(working_time, "CONTAINER_SECONDS", 0.2)
    Throttle("ThrottlingException", lambda: False)
    with pytest.raises(ClientError, match="ThrottlingException"):
        launch(orchestration, jobs=jobs)
