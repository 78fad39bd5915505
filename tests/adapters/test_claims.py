"""Work that moves between shares: who takes it, who gives it up, and what becomes of it when either is lost."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from background_jobs import JobContext, OrchestrationService, job_name
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.control_plane.rebuild import check
from background_jobs.control_plane.relaunch_or_close import relaunch_or_close
from background_jobs.core import claims as core_claims
from background_jobs.core.blocks import InstanceRange, cut_bodies
from background_jobs.core.claims import Claimable, settle
from background_jobs.core.events import InstancesClaimed, JobCompleted, JobErrored
from background_jobs.core.ownership import begin
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service import Orchestration
from background_jobs.worker import claims, pace
from tests.adapters.jobs import Died, ran
from tests.adapters.test_worker import TASK
from tests.unit.histories import at

LOST = {"Error": "States.TaskFailed", "Cause": json.dumps(TASK)}


@pytest.fixture(autouse=True)
def _forget() -> None:
    ran.clear()


@pytest.fixture
def everything_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let also instances move that take no time."""
    monkeypatch.setattr(pace, "CLAIM_INSTANCE_SECONDS", 0)
    monkeypatch.setattr(claims, "CLAIM_SECONDS", 0)
    monkeypatch.setattr(core_claims, "CLAIM_INSTANCE_SECONDS", 0)


def kick_off(service: OrchestrationService, *numbers: Any, parallelism: int = 2) -> Orchestration:
    return service.kick_off_job("halve", [{"n": n} for n in numbers], parallelism=parallelism)


def outcomes(stores: Stores, orchestration: Orchestration) -> dict[int, JobCompleted | JobErrored]:
    total = stores.event_log.read_started(orchestration.id).total
    found = list(stores.event_log.read_outcomes(orchestration.id, 0, total - 1))
    assert len({outcome.index for outcome in found}) == len(found), "an instance has two outcomes"
    return {outcome.index: outcome for outcome in found}


def claims_in(stores: Stores, orchestration: Orchestration) -> list[InstancesClaimed]:
    total = stores.event_log.read_started(orchestration.id).total
    events = stores.event_log.read_all(orchestration.id, total)
    return [event for event in events if isinstance(event, InstancesClaimed)]


@pytest.mark.usefixtures("everything_moves")
def test_a_container_that_is_done_takes_over_what_another_has_not_begun(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    # given two shares of which one is launched late
    orchestration = kick_off(service, *range(0, 24, 2))

    # when the container of the other one is done
    launch(orchestration, share=0)

    # then it goes on with the late one's instances, but for the first
    assert sorted(ran) == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]

    # and the late one does what is left to it, and everything is as if nothing had moved
    launch(orchestration, share=1)
    assert sorted(ran) == list(range(12))
    assert aggregate() == []
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert failures is None
    assert [success.result for success in successes] == list(range(12))
    assert check(orchestration.id, stores).log == []


@pytest.mark.usefixtures("everything_moves")
def test_an_instance_that_moved_tells_so_and_has_the_log_of_the_container_that_ran_it(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    orchestration = kick_off(service, *range(0, 24, 2))
    launch(orchestration, share=0)
    launch(orchestration, share=1)
    moved, stayed = (stores.event_log.read_launches_of(orchestration.id, index)[-1] for index in (11, 6))
    assert (moved.share, stayed.share) == (0, 1)
    told = [event.type for event in orchestration.instance(11).events]
    assert (told[0], told[-1]) == ("InstancesClaimed", "JobCompleted")
    assert "share 0" in orchestration.instance(11).events[0].detail


@pytest.mark.usefixtures("everything_moves")
def test_large_shares_give_up_whole_ranges_from_their_end(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    orchestration = kick_off(service, *range(0, 1600, 2))
    launch(orchestration, share=0)
    first, *_ = sorted(claims_in(stores, orchestration), key=lambda claim: claim.at)
    assert (first.index, first.last) == (751, 799)
    # one instance of each of its ranges stays
    assert len(outcomes(stores, orchestration)) == 800 - 3


def test_instances_that_take_no_time_are_not_even_looked_for(
    service: OrchestrationService, launch: Callable[..., None], dynamodb_calls: list[str]
) -> None:
    orchestration = kick_off(service, *range(0, 24, 2))
    dynamodb_calls.clear()
    launch(orchestration, share=0)
    assert sorted(ran) == list(range(6))
    assert dynamodb_calls.count("Query") == 1  # how the orchestration began
    assert dynamodb_calls.count("PutItem") == 3  # the container's start and end, and its outcomes


@pytest.mark.usefixtures("everything_moves")
def test_nothing_moves_where_each_container_has_one_instance(
    service: OrchestrationService, launch: Callable[..., None], dynamodb_calls: list[str]
) -> None:
    orchestration = kick_off(service, 2, 4, 6, parallelism=3)
    dynamodb_calls.clear()
    launch(orchestration, share=0)
    assert ran == [0]
    assert dynamodb_calls.count("Query") == 1


@pytest.mark.usefixtures("everything_moves")
def test_a_container_that_is_claimed_from_drops_what_is_gone_and_goes_on_with_the_rest(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    began: list[int] = []

    @job_name("halve")
    def claimed_from(params: dict[str, int], job: JobContext) -> int:
        began.append(job.index)
        if job.index == 1:
            # given another container that claims the last three while this instance runs
            victim = InstanceRange("default", orchestration.id, 0, 5)
            sequence = len(stores.block_log.read(victim))
            announced = Claimable(victim, sequence, 3, 5).announce(share=1, index=6, at=at(0))
            home = InstanceRange("default", orchestration.id, 6, 11)
            (body,) = cut_bodies([announced])
            stores.block_log.run(begin(home, "launch 0 other").append(body))
            assert stores.block_log.run(settle(home, announced, "other"))
        return params["n"]

    orchestration = kick_off(service, *range(12))

    # when its container goes on
    launch(orchestration, share=0, jobs=Jobs([claimed_from]))

    # then it leaves out what is gone, unless it claims that back from who has not begun it, and ends well
    assert began[:3] == [0, 1, 2]
    assert 3 not in began
    assert len(set(began)) == len(began)
    (ended,) = [
        event
        for event in stores.event_log.read_orchestration(orchestration.id).events
        if event.type == "ContainerEnded"
    ]
    assert ended.status == 0

    # and whoever closes the share leaves what is gone to its claimer, until everything is closed
    assert close_unfinished(close_request(orchestration, indices="0-5"), stores) == 0
    left = 12 - len(outcomes(stores, orchestration))
    assert close_unfinished(close_request(orchestration), stores) == left
    assert len(outcomes(stores, orchestration)) == 12
    assert aggregate() == []
    assert check(orchestration.id, stores).log == []


def close_request(orchestration: Orchestration, **fields: Any) -> CloseRequest:
    return CloseRequest.model_validate({"orchestration_id": orchestration.id, "error": LOST} | fields)


@pytest.mark.usefixtures("everything_moves")
def test_a_container_that_is_lost_with_what_it_claimed_is_followed_by_one_that_finishes_it(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], Any], stores: Stores
) -> None:
    # given a container that dies of an instance that it has claimed, twice
    orchestration = kick_off(service, 0, 2, 4, 6, 8, 10, "die", 14)
    for _ in range(2):
        with pytest.raises(Died):
            launch(orchestration, share=0)

    # when it is launched once more, and the share from which it claimed is launched, too
    launch(orchestration, share=0)
    launch(orchestration, share=1)

    # then each instance has run once, but for the one that is left out
    assert sorted(ran) == [0, 1, 2, 3, 4, 5, 6, 6, 7]
    aggregate()
    successes, failures = service.get_job_results(orchestration.id, timeout=0)
    assert [success.index for success in successes] == [0, 1, 2, 3, 4, 5, 7]
    assert [(failure.index, failure.error.type) for failure in failures or []] == [(6, "ContainerLost")]
    assert check(orchestration.id, stores).log == []


@pytest.mark.usefixtures("everything_moves")
def test_a_share_is_closed_with_what_it_claimed_and_with_nothing_else(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    orchestration = kick_off(service, 0, 2, 4, 6, 8, 10, "die", 14)
    with pytest.raises(Died):
        launch(orchestration, share=0)
    # outcomes of what it claimed are progress, too
    assert relaunch_or_close(close_request(orchestration, indices="0-3"), stores).left == 8 - 4
    done = set(outcomes(stores, orchestration))

    close_unfinished(close_request(orchestration, indices="0-3"), stores)

    assert set(outcomes(stores, orchestration)) - done == {6, 7}
    launch(orchestration, share=1)
    assert set(outcomes(stores, orchestration)) == set(range(8))


@pytest.mark.usefixtures("everything_moves")
def test_a_container_that_wakes_after_its_share_was_closed_claims_nothing_more(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores
) -> None:
    began: list[int] = []

    @job_name("halve")
    def closed_meanwhile(params: dict[str, int], job: JobContext) -> int:
        began.append(job.index)
        if job.index == 3:
            close_unfinished(close_request(orchestration, indices="0-3"), stores)
        return params["n"]

    orchestration = kick_off(service, *range(8))
    with pytest.raises(Exception, match="Nothing more can be appended"):
        launch(orchestration, share=0, jobs=Jobs([closed_meanwhile]))
    assert began == [0, 1, 2, 3]
    assert claims_in(stores, orchestration) == []
