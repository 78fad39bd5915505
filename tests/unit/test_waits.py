"""Why instances wait, from what the log tells of containers."""

import pytest

from background_jobs.core.containers.delays import DelayReason, delay_reason
from background_jobs.core.events import ContainerStarted, ShareDelayed
from background_jobs.core.views.waits import LAUNCHING, QUEUED, Containers, Wait, explain_waits
from tests.unit.histories import ORCHESTRATION_ID, at, container_started, started


def share_delayed(share: int, number: int, reason: DelayReason, seconds: float) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        share=share,
        number=number,
        reason=reason,
        detail=f"report {number}",
    )


def waits(
    waiting: list[int], *, shares: int, launched: list[ContainerStarted], delays: list[ShareDelayed]
) -> list[Wait]:
    orchestration = started(10).model_copy(update={"parallelism": shares})
    return explain_waits(orchestration, Containers(launched, delays), waiting)


def test_what_waits_in_a_share_at_work_is_queued_and_the_rest_waits_for_its_launch() -> None:
    queued, launching = sorted(
        waits([2, 3, 4, 5, 9], shares=2, launched=[container_started(share=0)], delays=[]),
        key=lambda wait: wait.reason,
    )
    assert (queued.reason, queued.instances, queued.shares, queued.since) == (QUEUED, 3, 1, at(0))
    assert (launching.reason, launching.instances, launching.shares) == (LAUNCHING, 2, 1)


def test_a_share_that_cannot_be_launched_says_the_latest_reason_since_the_first() -> None:
    (wait,) = waits(
        list(range(10)),
        shares=1,
        launched=[],
        delays=[share_delayed(0, 1, DelayReason.IMAGE, 90), share_delayed(0, 0, DelayReason.THROTTLED, 30)],
    )
    assert (wait.reason, wait.detail, wait.since, wait.instances) == (
        "the image cannot be pulled", "report 1", at(30), 10,
    )  # fmt: skip
    assert str(wait) == ("10 instances: the image cannot be pulled, since 2026-11-24 09:00:30 UTC (report 1)")


def test_a_delay_is_over_once_the_container_has_started() -> None:
    (wait,) = waits(
        [5],
        shares=1,
        launched=[container_started(share=0).model_copy(update={"at": at(60)})],
        delays=[share_delayed(0, 0, DelayReason.CAPACITY, 30)],
    )
    assert wait.reason == QUEUED


def test_a_share_whose_container_was_lost_waits_since_then() -> None:
    (wait,) = waits(
        [5],
        shares=1,
        launched=[container_started(share=0).model_copy(update={"at": at(60)})],
        delays=[
            share_delayed(0, 0, DelayReason.CAPACITY, 30),
            share_delayed(0, 1, DelayReason.LOST, 90),
            share_delayed(0, 2, DelayReason.CAPACITY, 95),
        ],
    )
    assert (wait.reason, wait.since, wait.detail) == ("no capacity", at(90), "report 2")


def test_shares_that_wait_for_one_reason_are_one_group_whatever_aws_said_to_each() -> None:
    delays = [share_delayed(share, 0, DelayReason.QUOTA, share) for share in range(5)]
    (wait,) = waits(list(range(10)), shares=5, launched=[], delays=delays)
    assert (wait.shares, wait.instances, wait.since) == (5, 10, at(0))


def test_no_wait_is_reported_where_no_instance_waits() -> None:
    assert waits([], shares=3, launched=[], delays=[]) == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ECS.InvalidParameterException: Rate exceeded", DelayReason.THROTTLED),
        ("ECS.ThrottlingException: Throttling", DelayReason.THROTTLED),
        ("Capacity is unavailable at this time. Please try again later", DelayReason.CAPACITY),
        ("You've reached the limit on the number of vCPUs you can run concurrently", DelayReason.QUOTA),
        ("TaskFailedToStart: CannotPullContainerError: image not found", DelayReason.IMAGE),
        ("ResourceInitializationError: unable to pull secrets or registry auth", DelayReason.START),
        ("AccessDeniedException: not authorized to perform: ecs:RunTask", DelayReason.REFUSED),
    ],
)
def test_what_aws_says_is_read_by_its_words(message: str, reason: DelayReason) -> None:
    assert delay_reason(message) is reason
