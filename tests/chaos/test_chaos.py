"""An orchestration of 1,000 instances while everything around it fails, at random but seeded.

Run more seeds with ``CHAOS_SEEDS=1,2,3 make test``; the figures are printed with ``pytest -s``.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import boto3
import psutil
import pytest

from background_jobs import JobCompletedEvent, JobResults, Orchestration, OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import check as log_faults
from background_jobs.control_plane.rebuild import differences
from background_jobs.core.events import (
    ContainerEnded,
    ContainerStarted,
    InstancesClaimed,
    JobAttemptFailed,
    JobCompleted,
    JobStarted,
    OrchestrationCompleted,
)
from background_jobs.core.ids import execution_name
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.processes import find_processes
from background_jobs.worker.supervisor import REPLACED, SHARE_LOST
from tests.chaos.server import FAULTS
from tests.checkout import REPOSITORY
from tests.offline import become_caller, containers, send_to_container, until, warm_workers

TOTAL = 1_000
CONTAINERS = 8
WARM = 3
PATIENCE = 240
ENDS = {100: "ValueError", 333: "ContainerLost", 600: "__main__.Unprintable", 666: "ContainerLost"}
"""How the bad instances end; all others complete, hostile ones and those beside them."""
SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "20261124").split(",")]


class ChaoticStack(LocalStack):
    server: ClassVar[str] = "tests.chaos.server"


class Inbox:
    """Every JobCompletedEvent that the bus delivers, for another service."""

    def __init__(self, bus: str) -> None:
        self._sqs = boto3.client("sqs")
        events = boto3.client("events")
        self._queue = self._sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        pattern = {"source": ["background-jobs"], "detail-type": ["JobCompletedEvent"]}
        events.put_rule(Name="inbox", EventBusName=bus, EventPattern=json.dumps(pattern))
        targets: Any = [{"Id": "inbox", "Arn": arn["QueueArn"]}]
        events.put_targets(Rule="inbox", EventBusName=bus, Targets=targets)
        self.received: list[JobCompletedEvent] = []

    def has_heard_of(self, orchestration_id: str) -> bool:
        for message in self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            self.received.append(JobCompletedEvent.model_validate(json.loads(message["Body"])["detail"]))
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return any(event.orchestration_id == orchestration_id for event in self.received)


@pytest.fixture(params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def stack(
    seed: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ChaoticStack]:
    monkeypatch.setenv("CHAOS_SEED", str(seed))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))  # where its server is
    warm = getattr(request, "param", 0)
    jobs = str(Path(__file__).with_name("jobs.py"))
    stack = ChaoticStack(jobs=jobs, containers=CONTAINERS, warm=warm)
    with stack:
        become_caller(stack, monkeypatch)
        yield stack
    assert find_processes(stack.stack_id) == []


class Killer:
    """Kills containers of an orchestration at random, two of each share at most, until told to stop.

    A share is launched five times, and one of them has an instance that kills its container twice. Warm
    workers are killed as well, as many as there are.
    """

    def __init__(self, stack: LocalStack, orchestration: Orchestration, seed: int) -> None:
        self.deaths: list[tuple[int, datetime]] = []
        """The shares whose containers were killed, and when."""
        self.lost_workers = 0
        self._stack = stack
        self._orchestration = orchestration
        self._random = random.Random(seed)
        self._over = threading.Event()

    def _kill(self) -> None:
        while not self._over.wait(self._random.uniform(0.3, 0.9)):
            try:
                # One that has ended meanwhile has no variables.
                running = {
                    int(number): process.pid
                    for process in containers(self._stack.stack_id, self._orchestration.id)
                    if time.time() - process.create_time() > 1  # so that it is at work
                    if (number := process.environ().get("JOB_SHARE"))
                }
                killed = Counter(share for share, _ in self.deaths)
                if victims := sorted(share for share in running if killed[share] < 2):
                    share = self._random.choice(victims)
                    send_to_container(running[share], signal.SIGKILL)
                    self.deaths.append((share, datetime.now(UTC)))
                busy = [worker for worker in warm_workers(self._stack.stack_id) if worker.children()]
                if busy and self.lost_workers < WARM:
                    self._random.choice(busy).kill()
                    self.lost_workers += 1
            except (psutil.Error, ProcessLookupError):
                continue

    @contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._kill)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


class Sleeper:
    """Freezes the container of each share once, at random, lets a rival do its work, and wakes it again.

    The rival is launched as the state machine launches a container that it thinks dead.
    """

    def __init__(self, stack: LocalStack, orchestration: Orchestration, seed: int) -> None:
        self.slept: set[int] = set()
        self.statuses: list[int] = []
        """How the rivals ended."""
        self._stack = stack
        self._orchestration = orchestration
        self._random = random.Random(seed)

    def put_all_to_sleep(self) -> None:
        rivals: list[subprocess.Popen[bytes]] = []
        while len(self.slept) < CONTAINERS and not self._orchestration.summary().all_final:
            rivals += self._put_one_to_sleep()
            time.sleep(self._random.uniform(0.05, 0.2))
        self.statuses = [rival.wait(PATIENCE) for rival in rivals]

    def _put_one_to_sleep(self) -> Iterator[subprocess.Popen[bytes]]:
        for container in containers(self._stack.stack_id, self._orchestration.id):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                variables = container.environ()
                share, age = int(variables["JOB_SHARE"]), time.time() - container.create_time()
                if share in self.slept or age < 1:
                    continue
                send_to_container(container.pid, signal.SIGSTOP)
                self.slept.add(share)
                seconds = self._random.uniform(0.5, 3)
                threading.Timer(seconds, self._wake, [container.pid]).start()
                yield subprocess.Popen(container.cmdline(), env=variables, start_new_session=True)
                return

    @staticmethod
    def _wake(pid: int) -> None:
        send_to_container(pid, signal.SIGCONT)


def params_of(runs: Path) -> list[dict[str, Any]]:
    return [{"n": n, "runs": str(runs)} for n in range(TOTAL)]


def check(orchestration: Orchestration, results: JobResults, inbox: Inbox, stack: ChaoticStack) -> None:
    """Assert what holds after every fault."""
    stores = Stores.of(stack.settings)
    successes, failures = results
    outcomes = sorted([*successes, *(failures or [])], key=lambda outcome: outcome.index)
    # each instance has exactly one outcome, with its params
    assert [(outcome.index, outcome.params["n"]) for outcome in outcomes] == [(n, n) for n in range(TOTAL)]
    assert all(success.result == success.index**2 for success in successes)
    until(lambda: orchestration.summary().done)
    summary = orchestration.summary()
    assert (summary.completed, summary.errored) == (len(successes), len(failures or []))
    assert summary.completed + summary.errored == summary.total == TOTAL
    assert differences(orchestration.id, stores) == []
    # one completion, under one id
    until(lambda: inbox.has_heard_of(orchestration.id))
    assert len({event.event_id for event in inbox.received}) == 1
    events = stores.event_log.read_all(orchestration.id, TOTAL)
    assert sum(isinstance(event, OrchestrationCompleted) for event in events) == 1
    assert log_faults(orchestration.id, stores).log == []
    until(lambda: not containers(stack.stack_id, orchestration.id))


@pytest.mark.parametrize("stack", [WARM], indirect=True, ids=["warm"])
@pytest.mark.parametrize("job", ["square", "square_at_once", "square_hedged"])
def test_nothing_is_lost_while_containers_workers_functions_stream_and_bus_fail(
    stack: ChaoticStack, seed: int, tmp_path: Path, job: str
) -> None:
    until(lambda: len(warm_workers(stack.stack_id)) == WARM)
    inbox, stores = Inbox(stack.settings.event_bus), Stores.of(stack.settings)
    service = OrchestrationService(stack.settings)
    runs = tmp_path / "runs"
    orchestration = service.kick_off_job(job, params_of(runs), parallelism=CONTAINERS)
    killer = Killer(stack, orchestration, seed)

    with killer.at_work():
        results = service.get_job_results(orchestration.id, timeout=PATIENCE)

    check(orchestration, results, inbox, stack)
    ended = {failure.index: failure.error.type for failure in results.failures or []}
    assert {n: ended[n] for n in ENDS} == ENDS
    assert killer.deaths, "nothing was killed, so nothing was shown"
    assert killer.lost_workers, "no warm worker was killed with a share"
    assert count_moved(orchestration, stores), "nothing moved between the containers"
    faults = json.loads((stack.folder / FAULTS).read_text())
    assert {"functions killed", "batches failed half way"} <= faults.keys()
    report = {**faults, **figures(orchestration, killer.deaths, Counter(runs.read_text().split()), stores)}
    print("\n" + "\n".join(f"{name:<50}{value}" for name, value in report.items()))  # noqa: T201 -- with -s


def test_nothing_is_lost_while_containers_sleep_and_rivals_do_their_work(
    stack: ChaoticStack, seed: int, tmp_path: Path
) -> None:
    inbox, stores = Inbox(stack.settings.event_bus), Stores.of(stack.settings)
    service = OrchestrationService(stack.settings)
    orchestration = service.kick_off_job("square", params_of(tmp_path / "runs"), parallelism=CONTAINERS)
    sleeper = Sleeper(stack, orchestration, seed)

    sleeper.put_all_to_sleep()

    results = service.get_job_results(orchestration.id, timeout=PATIENCE)
    check(orchestration, results, inbox, stack)
    ended = {failure.index: failure.error.type for failure in results.failures or []}
    assert ended == dict.fromkeys(find_lost_twice(orchestration, stores), "ContainerLost") | ENDS
    assert len(sleeper.slept) > 1, "too few slept, so little was shown"
    assert {0, SHARE_LOST} >= {status for status in sleeper.statuses if status >= 0}
    statuses = Counter(
        event.status
        for event in stores.event_log.read_all(orchestration.id, TOTAL)
        if isinstance(event, ContainerEnded)
    )
    assert set(statuses) == {0, REPLACED}, "a launch that lost its share says nothing of its end"


def test_nothing_is_lost_when_the_execution_is_aborted(stack: ChaoticStack, tmp_path: Path) -> None:
    inbox = Inbox(stack.settings.event_bus)
    service = OrchestrationService(stack.settings)
    orchestration = service.kick_off_job("square", params_of(tmp_path / "runs"), parallelism=CONTAINERS)
    until(lambda: orchestration.summary().completed > TOTAL // 10)

    states = boto3.client("stepfunctions")
    (machine,) = states.list_state_machines()["stateMachines"]
    executions = machine["stateMachineArn"].replace(":stateMachine:", ":execution:")
    arn = f"{executions}:{execution_name('default', orchestration.id)}"
    states.stop_execution(executionArn=arn, cause="by hand")

    results = service.get_job_results(orchestration.id, timeout=PATIENCE)
    check(orchestration, results, inbox, stack)
    assert "ExecutionEnded" in {failure.error.type for failure in results.failures or []}


def count_moved(orchestration: Orchestration, stores: Stores) -> int:
    events = stores.event_log.read_all(orchestration.id, TOTAL)
    return sum(event.last - event.index + 1 for event in events if isinstance(event, InstancesClaimed))


def find_lost_twice(orchestration: Orchestration, stores: Stores) -> set[int]:
    """Return the instances of which two attempts were lost: reported so, or begun and never ended."""
    events = list(stores.event_log.read_all(orchestration.id, TOTAL))
    failed = [event for event in events if isinstance(event, JobAttemptFailed)]
    ended = {(e.index, e.attempt) for e in failed if e.error.type != "ContainerLost"}
    ended |= {(e.index, e.attempts) for e in events if isinstance(e, JobCompleted)}
    begun = {(e.index, e.attempt) for e in events if isinstance(e, JobStarted)}
    losses = Counter(index for index, _ in begun - ended)
    return {index for index, times in losses.items() if times > 1}


def count_hedged(orchestration: Orchestration, stores: Stores) -> int:
    events = stores.event_log.read_all(orchestration.id, TOTAL)
    return sum(isinstance(event, JobCompleted) and event.hedged_by is not None for event in events)


def figures(
    orchestration: Orchestration, deaths: list[tuple[int, datetime]], runs: "Counter[str]", stores: Stores
) -> dict[str, Any]:
    """Return what the losses cost."""
    launched = [
        event
        for event in stores.event_log.read_all(orchestration.id, TOTAL)
        if isinstance(event, ContainerStarted)
    ]
    waits = sorted(
        min(
            (event.at - died).total_seconds()
            for event in launched
            if event.share == share and event.at > died
        )
        for share, died in deaths
        if any(event.share == share and event.at > died for event in launched)
    )
    repeated = runs.total() - len(runs)
    return {
        "containers killed": len(deaths),
        "instances moved": count_moved(orchestration, stores),
        "instances of which a copy was first": count_hedged(orchestration, stores),
        "launches": len(launched),
        "instances run again": repeated,
        "instances run again per loss": round(repeated / len(deaths), 2),
        "seconds from death to work again, median": round(median(waits), 2),
        "seconds from death to work again, most": round(waits[-1], 2),
    }
