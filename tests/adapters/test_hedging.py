"""Slow instances that run twice: whose outcome counts, and what becomes of the other attempt."""

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from background_jobs import JobContext, OrchestrationService, Retry, job_name
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import close_unfinished
from background_jobs.control_plane.rebuild import check
from background_jobs.core import hedging
from background_jobs.core.events import JobAttemptFailed, JobStarted
from background_jobs.jobs import Jobs
from background_jobs.worker import claims, hedges, stop_signals
from background_jobs.worker.races import Races
from tests.adapters.jobs import Died
from tests.adapters.test_claims import close_request, outcomes
from tests.offline import until

if TYPE_CHECKING:
    from background_jobs.orchestration_service import Orchestration

SLOW = 3
"""An instance of the first of two shares with six each."""
may_look = Event()


@pytest.fixture(autouse=True)
def _hedge_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "HEDGE_INSTANCES", 2)
    monkeypatch.setattr(hedging, "HEDGE_SECONDS", 0)
    monkeypatch.setattr(hedges, "HEDGE_WAITERS", 2 * 6)  # so that it stays, whatever number it draws
    monkeypatch.setattr(claims, "CLAIM_SECONDS", 60)  # so that nothing moves
    monkeypatch.setattr(stop_signals, "_TICKS_PER_LOOK", 1)
    look = Races.look
    # The copy runs within the attempt that it races, which is not to be stopped before the copy has ended.
    monkeypatch.setattr(Races, "look", lambda races: look(races) if may_look.is_set() else None)
    may_look.clear()


class Rivals:
    """A job of which one instance is slow, until the container of the other share is done and runs a copy."""

    def __init__(
        self, stores: Stores, launch: Callable[..., None], *, hedge: bool = True, retry: int = 1
    ) -> None:
        self.began: list[int] = []
        self.orchestration: Orchestration
        self.copy: Callable[[], object] = lambda: "copy"
        self.after: Callable[[JobContext], object] = lambda _job: "own"

        @job_name("race", hedge=hedge, retry=Retry(max_attempts=retry, base_seconds=0.01))
        def race(_params: dict[str, int], job: JobContext) -> object:
            self.began.append(job.index)
            if job.index != SLOW:
                return job.index
            if self.began.count(SLOW) > 1:
                return self.copy()
            until(lambda: [start for start in self.events(JobStarted) if start.index == SLOW])
            self.launch_other()
            return self.after(job)

        self.stores, self.launch, self.jobs = stores, launch, Jobs([race])

    def launch_other(self) -> None:
        self.launch(self.orchestration, share=1, jobs=self.jobs)

    def run(self, service: OrchestrationService) -> Any:
        """Run all of it, and return the outcome of the slow instance; every other instance ran once."""
        self.orchestration = service.kick_off_job("race", [{"n": n} for n in range(12)], parallelism=2)
        self.launch(self.orchestration, share=0, jobs=self.jobs)
        assert sorted(set(self.began)) == list(range(12))
        assert all(self.began.count(n) == 1 for n in range(12) if n != SLOW)
        found = outcomes(self.stores, self.orchestration)
        assert found.keys() == set(range(12))
        assert check(self.orchestration.id, self.stores).log == []
        return found[SLOW]

    def events(self, *kinds: type[Any]) -> list[Any]:
        events = self.stores.event_log.read_all(self.orchestration.id, 12)
        return [event for event in events if isinstance(event, kinds)]


@pytest.fixture
def rivals(stores: Stores, launch: Callable[..., None]) -> Rivals:
    return Rivals(stores, launch)


def test_a_container_that_is_done_runs_a_slow_instance_again_and_the_first_outcome_counts(
    rivals: Rivals, service: OrchestrationService, aggregate: Callable[[], Any]
) -> None:
    outcome = rivals.run(service)

    # the copy was done first, and its owner went on without a fault
    assert rivals.began.count(SLOW) == 2
    assert (outcome.result, outcome.hedged_by, outcome.attempts) == ("copy", 1, 1)
    assert aggregate() == []
    successes, failures = service.get_job_results(rivals.orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == [0, 1, 2, "copy", *range(4, 12)]

    # and the instance tells so, and where the log of its copy is
    assert "share 1" in rivals.orchestration.instance(SLOW).events[-1].detail
    assert rivals.stores.event_log.read_launches_of(rivals.orchestration.id, SLOW)[-1].share == 1


def test_the_attempt_that_is_too_late_is_stopped_and_neither_recorded_nor_tried_again(
    stores: Stores,
    launch: Callable[..., None],
    service: OrchestrationService,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    # given a job that retries what times out, and an owner that would sleep for long
    rivals = Rivals(stores, launch, retry=3)
    told: list[bool] = []

    def sleep(job: JobContext) -> None:
        may_look.set()
        try:
            time.sleep(600)
        finally:
            told.append(job.cancelled())

    rivals.after = sleep

    outcome = rivals.run(service)

    # then it does not, for the copy was done first
    assert told == [True]
    assert outcome.result == "copy"
    assert rivals.began.count(SLOW) == 2
    assert rivals.events(JobAttemptFailed) == []
    # and its log says why
    said = [message for message in caplog.messages if "was done first" in message]
    assert said == [f"Instance {SLOW}: a copy in share 1 was done first; this attempt ends"]


def test_a_copy_that_fails_leaves_the_instance_to_its_owner(
    rivals: Rivals, service: OrchestrationService
) -> None:
    rivals.copy = lambda: 1 / 0
    outcome = rivals.run(service)
    assert rivals.began.count(SLOW) == 2
    assert (outcome.result, outcome.hedged_by) == ("own", None)
    assert rivals.events(JobAttemptFailed) == []


def test_a_copy_that_is_done_too_late_changes_nothing(rivals: Rivals, service: OrchestrationService) -> None:
    rivals.copy = lambda: close_unfinished(close_request(rivals.orchestration, indices="0-5"), rivals.stores)
    with pytest.raises(Exception, match="Nothing more can be appended"):
        rivals.run(service)
    found = outcomes(rivals.stores, rivals.orchestration)
    assert found.keys() == set(range(12))
    assert [index for index, outcome in found.items() if outcome.type == "JobErrored"] == [SLOW, 4, 5]


def test_a_container_that_a_copy_has_ended_runs_no_copy_again(
    rivals: Rivals, service: OrchestrationService
) -> None:
    def die() -> object:
        raise Died

    rivals.copy = die
    launch_once = rivals.launch_other

    def launch_twice() -> None:
        with pytest.raises(Died):
            launch_once()
        launch_once()

    rivals.launch_other = launch_twice  # type: ignore[method-assign] # what the slow instance waits for

    outcome = rivals.run(service)

    assert rivals.began.count(SLOW) == 2
    assert (outcome.result, outcome.attempts) == ("own", 1)


def test_all_outcomes_of_a_container_are_in_the_log_before_it_runs_a_copy(
    rivals: Rivals, service: OrchestrationService
) -> None:
    """A copy may end its process, after which whatever has no outcome in the log would run again."""
    rivals.copy = lambda: sorted(outcomes(rivals.stores, rivals.orchestration))
    assert set(range(6, 12)) <= set(rivals.run(service).result)


def test_nothing_runs_twice_of_a_job_that_does_not_say_that_it_may(
    stores: Stores, launch: Callable[..., None], service: OrchestrationService
) -> None:
    rivals = Rivals(stores, launch, hedge=False)
    assert rivals.run(service).result == "own"
    assert rivals.began.count(SLOW) == 1
