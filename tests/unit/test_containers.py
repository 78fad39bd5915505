"""The containers of an orchestration over time, and what they have cost."""

from datetime import timedelta
from typing import Any

import pytest

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.statuses import OUT_OF_MEMORY
from background_jobs.core.errors import InvalidToken
from background_jobs.core.events import ContainerEnded, ContainerStarted, Event, ShareDelayed
from background_jobs.core.planning.prices import US_EAST_1
from background_jobs.core.views.containers import (
    BUCKETS,
    ContainerState,
    ContainerView,
    find_early_loss,
    page_containers,
    view_containers,
)
from background_jobs.core.views.cost import Cost, estimate_cost_so_far
from background_jobs.core.views.waits import Containers
from tests.unit.histories import ORCHESTRATION_ID, at

HOUR_OF_DEFAULT = 0.5 * US_EAST_1.fargate_arm_vcpu_hour + US_EAST_1.fargate_arm_gb_hour


def started(share: int, second: float, launch: int = 0, **fields: Any) -> ContainerStarted:
    return ContainerStarted(
        orchestration_id=ORCHESTRATION_ID,
        at=at(second),
        share=share,
        launch=launch,
        first=share,
        last=share,
        **fields,
    )


def ended(share: int, second: float, launch: int = 0, status: int = 0) -> ContainerEnded:
    return ContainerEnded(
        orchestration_id=ORCHESTRATION_ID, at=at(second), share=share, launch=launch, status=status
    )


def delayed(share: int, second: float, reason: DelayReason, number: int = 0) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=ORCHESTRATION_ID,
        at=at(second),
        share=share,
        number=number,
        reason=reason,
        detail="AWS says so",
    )


def view(*events: Event, completed: float | None = None, now: float = 100, **of: Any) -> list[ContainerView]:
    over = None if completed is None else at(completed)
    return view_containers(Containers.among(events), completed_at=over, now=at(now), **of)


def test_a_launch_ended_failed_was_lost_or_runs() -> None:
    views = view(
        *(started(0, 1), ended(0, 9)),
        *(started(1, 1), ended(1, 5, status=OUT_OF_MEMORY), started(1, 7, launch=1)),
        *(started(2, 1), delayed(2, 4, DelayReason.LOST), started(2, 8, launch=1), ended(2, 9, launch=1)),
        *(started(3, 1), started(3, 6, launch=1), ended(3, 8, launch=1, status=3)),
    )
    assert [(one.share, one.launch, one.state.value, one.reason) for one in views] == [
        (0, 0, "ended", ""),
        (1, 0, "failed", "the container ran out of memory"),
        (1, 1, "running", ""),
        (2, 0, "lost", "the container was lost (AWS says so)"),
        (2, 1, "ended", ""),
        (3, 0, "lost", "its process ended without saying so"),
        (3, 1, "failed", "exit status 3"),
    ]
    # a loss is known of when AWS tells, or else when the share is launched again
    assert [one.ended_at for one in views if one.state is ContainerState.LOST] == [at(4), at(6)]


def test_a_late_launch_says_why_and_a_loss_before_it_is_no_such_reason() -> None:
    late, again = view(
        delayed(0, 2, DelayReason.QUOTA),
        started(0, 30),
        delayed(0, 40, DelayReason.MEMORY, number=1),
        started(0, 45, launch=1),
    )
    assert late.delay == "a quota is reached (AWS says so)"
    assert again.delay == ""


def test_a_container_that_was_lost_before_it_began_is_told_of_with_its_reason() -> None:
    def loss(*events: Event) -> str:
        return find_early_loss(Containers.among(events))

    never_began = (delayed(0, 2, DelayReason.LOST), delayed(0, 9, DelayReason.QUOTA, number=1))
    assert loss(*never_began, started(1, 1)) == "the container was lost (AWS says so)"
    assert loss(delayed(0, 2, DelayReason.MEMORY), started(0, 3)) == (
        "the container ran out of memory (AWS says so)"
    )
    assert loss(started(0, 1), delayed(0, 2, DelayReason.LOST), delayed(1, 2, DelayReason.QUOTA)) == ""


def test_what_never_said_that_it_ended_is_lost_once_the_orchestration_is_over() -> None:
    # a container says that it ends a moment after the last outcome
    (running,) = view(started(0, 1), completed=50, now=60)
    assert running.state is ContainerState.RUNNING
    (lost,) = view(started(0, 1), completed=50, now=500)
    assert (lost.state, lost.ended_at) == (ContainerState.LOST, at(50))
    (stopped,) = view(started(0, 1), completed=50, now=500, cancelled=True)
    assert stopped.reason == "it was stopped, for the orchestration was cancelled"


def test_thousands_of_launches_are_read_in_pages_beside_what_is_known_of_all() -> None:
    views = view(
        *(started(share, share / 10) for share in range(3_000)), *(ended(5, 2), ended(7, 3, status=1))
    )
    pages = []
    token: str | None = None
    while True:
        page = page_containers(views, began_at=at(0), now=at(400), limit=1_000, next_token=token)
        pages.append(page)
        if (token := page.next_token) is None:
            break
    assert [one.share for page in pages for one in page.items] == list(range(3_000))
    assert pages[0].counts == pages[-1].counts == {"running": 2_998, "ended": 1, "failed": 1, "lost": 0}
    assert len(pages[0].at_once) <= BUCKETS
    assert max(pages[0].at_once) == 2_998
    failed = page_containers(views, began_at=at(0), now=at(400), limit=10, state=ContainerState.FAILED)
    assert ([one.share for one in failed.items], failed.next_token) == ([7], None)
    with pytest.raises(InvalidToken):
        page_containers(views, began_at=at(0), now=at(400), limit=10, next_token="x")


def test_as_many_run_at_once_as_have_begun_and_not_ended() -> None:
    views = view(*(started(0, 1), ended(0, 4)), *(started(1, 2), ended(1, 8)), started(2, 6), now=10)
    page = page_containers(views, began_at=at(0), now=at(10), limit=10)
    assert page.at_once == [0, 1, 2, 2, 2, 1, 2, 2, 2, 1, 1]


def test_a_launch_that_follows_another_of_its_share_is_not_counted_beside_it() -> None:
    views = view(started(0, 1), started(0, 3, launch=1), ended(0, 5, launch=1))
    assert max(page_containers(views, began_at=at(0), now=at(10), limit=10).at_once) == 1


def cost(*events: Event, total: int = 10, completed: float | None = 4_000, offline: bool = False) -> Cost:
    views = view(*events, completed=completed, now=10_000)
    over = None if completed is None else at(completed)
    return estimate_cost_so_far(views, total=total, completed_at=over, now=at(10_000), is_offline=offline)


def fargate(estimate: Cost) -> list[float]:
    return [line.dollars for line in estimate.lines if line.service == "Fargate"]


def test_each_container_is_billed_a_minute_at_least() -> None:
    # given one short container and one of an hour
    estimate = cost(*(started(0, 0), ended(0, 1)), *(started(1, 0), ended(1, 3_580)))
    # then the hour does not hide that the other one is billed a minute
    assert estimate.container_seconds == 60 + 3_600
    assert fargate(estimate) == [pytest.approx(3_660 / 3_600 * HOUR_OF_DEFAULT)]


def test_processes_that_followed_each_other_in_one_container_are_billed_as_one() -> None:
    log = "/background-jobs/prod/orders/job/job/1"
    once = cost(started(0, 0, log=log), started(0, 10, launch=1, log=log), ended(0, 100, launch=1))
    assert (once.containers, once.container_seconds) == (1, 120)
    twice = cost(started(0, 0, log=log), started(0, 10, launch=1, log="other"), ended(0, 100, launch=1))
    assert twice.containers == 2


def test_more_memory_after_a_kill_is_billed_for_the_launch_that_had_it() -> None:
    estimate = cost(
        *(started(0, 0, cpu=512, memory_mib=1024), ended(0, 100, status=OUT_OF_MEMORY)),
        *(started(0, 110, launch=1, cpu=512, memory_mib=2048), ended(0, 210, launch=1)),
    )
    small, large = fargate(estimate)
    assert large / small == pytest.approx(1 + US_EAST_1.fargate_arm_gb_hour / HOUR_OF_DEFAULT)
    assert estimate.sizes == ["0.5 vCPU and 1 GB", "0.5 vCPU and 2 GB"]


def test_a_cost_says_that_it_is_an_estimate_with_region_and_date_and_offline_that_nothing_was_paid() -> None:
    events = (started(0, 0), ended(0, 100))
    assert cost(*events).summary.startswith("about $0.00")
    assert (
        "an estimate for containers of 0.5 vCPU and 1 GB at list prices of us-east-1, March 2026"
        in cost(*events).summary
    )
    assert cost(*events, offline=True).summary.startswith("would cost about $0.00")
    assert " on AWS, " in cost(*events, offline=True).summary
    assert " so far, " in cost(*events, completed=None).summary


def test_capacity_of_ones_own_has_no_price_and_warm_workers_are_left_out() -> None:
    estimate = cost(
        *(started(0, 0, capacity_provider="gpu-asg"), ended(0, 3_600)),
        *(started(1, 0, warm=True), ended(1, 3_600)),
    )
    assert fargate(estimate) == []
    assert estimate.unpriced == "1.0 hours of containers on gpu-asg"


def test_an_orchestration_that_still_runs_has_cost_what_its_containers_took_until_now() -> None:
    estimate = cost(started(0, 0), completed=None)
    assert (estimate.is_final, estimate.container_seconds) == (False, 10_020)


def test_a_loss_costs_no_more_than_until_it_was_noticed() -> None:
    estimate = cost(
        started(0, 0, log="a"),
        delayed(0, 100, DelayReason.LOST),
        started(0, 1_000, launch=1, log="b"),
        ended(0, 1_100, launch=1),
    )
    assert timedelta(seconds=estimate.container_seconds) == timedelta(seconds=120 + 120)
