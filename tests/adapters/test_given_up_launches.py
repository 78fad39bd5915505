"""Containers that were thought dead: frozen between any two calls, given up, and continued after the end."""

import json
import threading
import time
from typing import Any

import pytest

from background_jobs import Orchestration, OrchestrationService, Retry, RetryAfter, job_name
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core.errors import ShareLost
from background_jobs.core.events import JobCompleted
from background_jobs.core.ownership import RangeLost
from background_jobs.jobs import JobContext, Jobs
from background_jobs.settings import ContainerSettings, Settings
from background_jobs.worker import event_writer, recorder, stop_signals
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.supervisor import SHARE_LOST, Predecessor
from tests.adapters.frozen import FreezePoint

TOTAL = 8
LARGE = 30_000
SILENCE = 0.1
FROZEN = "frozen"


@pytest.fixture(autouse=True)
def _containers_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_SILENCE_SECONDS", SILENCE)
    monkeypatch.setattr(event_writer, "APPEND_SECONDS", 0.03)
    monkeypatch.setattr(stop_signals.signal, "signal", lambda _number, _handler: None)  # type: ignore[attr-defined]


class SignedJob:
    """A job whose every run has another result; every other one is too large for an event."""

    def __init__(self, freeze_point: FreezePoint) -> None:
        self.ran_in: list[str] = []
        self._freeze_point = freeze_point

    def jobs(self) -> Jobs:
        @job_name("sign", retry=Retry(max_attempts=3))
        def sign(params: dict[str, int], job: JobContext) -> dict[str, str]:
            container = threading.current_thread().name
            if container == FROZEN:
                self._freeze_point.pass_by()
            self.ran_in.append(container)
            time.sleep(0.01)
            if params["n"] == 3 and job.attempt == 1:
                raise RetryAfter(0.05)
            return {"run": str(len(self.ran_in)), "pad": "x" * (LARGE if params["n"] % 2 else 1)}

        return Jobs([sign])


def settings_of_share(orchestration: Orchestration, stores: Stores) -> ContainerSettings:
    started = stores.event_log.read_started(orchestration.id)
    (line,) = stores.payloads.lines(started.shares_key)
    share = json.loads(line)
    return ContainerSettings(
        job_name=started.job_name,
        orchestration_id=orchestration.id,
        job_id=share["job_id"],
        share=share["share"],
        indices=share["indices"],
        params_key=started.params_key,
        params_bytes=share["bytes"],
        service=started.service,
    )


def read_log(settings: Settings) -> dict[tuple[str, str], Any]:
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}


def read_results(stores: Stores, orchestration: Orchestration) -> list[Any]:
    outcomes = stores.event_log.read_outcomes(orchestration.id, 0, TOTAL - 1)
    return [
        json.loads(stores.payloads.get(outcome.result_ref.key)) if outcome.result_ref else outcome.result
        for outcome in outcomes
        if isinstance(outcome, JobCompleted)
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_launch_that_was_given_up_changes_nothing_wherever_it_was_frozen(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    point, nth, reached, lost = FreezePoint(settings, when, monkeypatch), 0, True, 0
    while reached:
        nth += 1
        point.arm(nth)
        job = SignedJob(point)
        orchestration = service.kick_off_job("sign", ({"n": n} for n in range(TOTAL)), parallelism=1)
        share = settings_of_share(orchestration, stores)
        statuses: list[int] = []

        def work() -> None:
            threading.current_thread().name = FROZEN
            try:
                container = Container(job.jobs(), share, point.stores, SharedCurrentAttempt())  # noqa: B023
                statuses.append(container.work())  # noqa: B023
            except RangeLost:
                statuses.append(SHARE_LOST)  # noqa: B023

        # given a container that is frozen and given up, and an orchestration that ended without it
        reached = point.freeze(work)
        Container(job.jobs(), share, stores, SharedCurrentAttempt()).work()
        request = CloseRequest.model_validate({"orchestration_id": orchestration.id, "indices": "0-7"})
        assert close_unfinished(request, stores) == 0
        time.sleep(SILENCE)
        items, results, runs = read_log(settings), read_results(stores, orchestration), len(job.ran_in)
        assert len(results) == TOTAL

        # when it goes on
        point.go_on()

        # then every result is what it was, and so is the log, except for how launches began and ended
        assert read_results(stores, orchestration) == results
        more = read_log(settings)
        assert items.items() <= more.items()
        added = [more[key]["type"]["S"] for key in more.keys() - items.keys()]
        # and it began no instance but the one that it was about to call
        assert len(job.ran_in) <= runs + 1
        if statuses == [SHARE_LOST]:
            lost += 1
            assert added == []
        else:
            assert statuses == [0]
            assert set(added) <= {"ContainerStarted", "ContainerEnded"}
    assert lost > TOTAL


def test_a_container_that_slept_takes_its_share_from_no_later_launch(
    service: OrchestrationService, stores: Stores, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a container whose first process is launch 0, and a later launch of its share
    job = SignedJob(FreezePoint(settings, "before", monkeypatch))
    orchestration = service.kick_off_job("sign", [{"n": 0}], parallelism=1)
    share = settings_of_share(orchestration, stores)
    Container(job.jobs(), share, stores, SharedCurrentAttempt()).work()
    Container(job.jobs(), share, stores, SharedCurrentAttempt()).work()
    log = read_log(settings)

    # when it has slept past a timeout, so that its outer process begins another inner one
    with pytest.raises(ShareLost, match="launch 1 of it"):
        Container(job.jobs(), share, stores, SharedCurrentAttempt(), Predecessor(launch=0))

    # then nothing is taken over
    assert read_log(settings) == log
