"""Reading without waiting: outcomes so far, errors, and the list of orchestrations."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs import Failure, Orchestration, OrchestrationService, Status, Success, aio
from background_jobs.core.errors import InstanceNotFound, InvalidTimeRange, InvalidToken
from background_jobs.settings import Settings


@pytest.fixture
def half_done(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], list[Any]]
) -> Orchestration:
    """An orchestration of two shares, of which the first has ended."""
    orchestration = service.kick_off_job("halve", [{"n": n} for n in (2, 3, 4, 5)], parallelism=2)
    launch(orchestration, share=0)
    assert aggregate() == []
    return orchestration


def test_outcomes_can_be_read_while_other_instances_run(half_done: Orchestration) -> None:
    success, failure = half_done.outcomes()
    assert isinstance(success, Success)
    assert (success.index, success.params, success.result) == (0, {"n": 2}, 1)
    assert isinstance(failure, Failure)
    assert (failure.index, failure.params, failure.error.message) == (1, {"n": 3}, "3 is odd")


@pytest.mark.parametrize(
    ("status", "indices"), [(Status.COMPLETED, [0]), (Status.ERRORED, [1]), (Status.IN_PROGRESS, [])]
)
def test_ended_instances_are_found_by_status(
    half_done: Orchestration, status: Status, indices: list[int]
) -> None:
    assert [outcome.index for outcome in half_done.outcomes(status)] == indices


def test_errors_are_there_without_their_params_being_read(half_done: Orchestration) -> None:
    (error,) = half_done.errors()
    assert (error.index, error.error.type, error.error.message) == (1, "ValueError", "3 is odd")


def test_instances_and_outcomes_are_read_page_by_page(half_done: Orchestration) -> None:
    page = half_done.instances(limit=2, next_token="1")
    assert ([view.index for view in page.items], page.next_token) == ([1, 2], "3")
    assert [view.index for view in half_done.instances(Status.IN_PROGRESS).items] == [2, 3]
    assert [view.result for view in half_done.successes().items] == [1]
    assert [view.index for view in half_done.failures(next_token="1").items] == [1]
    assert half_done.successes(next_token="1").items == []
    with pytest.raises(ValueError, match="'Done' is not a valid Status"):
        half_done.instances("Done")  # type: ignore[arg-type] # the point


def test_an_instance_has_its_params_its_outcome_and_its_events(half_done: Orchestration) -> None:
    instance = half_done.instance(0)
    assert (instance.params, instance.result, instance.events[-1].type) == ({"n": 2}, 1, "JobCompleted")
    with pytest.raises(InstanceNotFound, match="are 0 to 3"):
        half_done.instance(4)


def test_launches_and_throughput_tell_what_ran_and_how_fast(half_done: Orchestration) -> None:
    assert [(launch.first, launch.last) for launch in half_done.launches()] == [(0, 1)]
    throughput = half_done.throughput()
    assert (sum(throughput.completed), sum(throughput.errored)) == (1, 1)


def test_there_are_no_outcomes_where_nothing_was_folded(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    assert (list(orchestration.outcomes()), list(orchestration.errors())) == ([], [])


def test_the_history_is_there_newest_first_and_page_by_page(
    service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    ids = [service.kick_off_job("halve", [], tags={"customer": customer}).id for customer in "aba"]
    assert aggregate() == []

    first = service.history(limit=2)
    rest = service.history(limit=2, next_token=first.next_token)
    assert [summary.orchestration_id for summary in first.summaries + rest.summaries] == ids[::-1]
    assert rest.next_token is None
    found = service.history(job_name="halve", customer="b", since=datetime.now(UTC) - timedelta(hours=1))
    assert [summary.orchestration_id for summary in found.summaries] == [ids[1]]
    with pytest.raises(InvalidToken):
        service.history(next_token="made up")


@pytest.mark.parametrize("name", ["job_name", "customer"])
def test_a_name_that_is_too_long_for_the_indexes_beside_a_status_finds_nothing(
    service: OrchestrationService, name: str
) -> None:
    """DynamoDB refuses to be asked for a longer key; the emulator does not."""
    asked: list[int] = []
    filters: dict[str, Any] = {"status": "InProgress"}

    def note(params: dict[str, Any], **_: object) -> None:
        asked.append(len(params["ExpressionAttributeValues"][":partition"]["S"]))

    events = service._stores.history._dynamodb.meta.events
    events.register("provide-client-params.dynamodb.Query", note)
    try:
        for length in (1_024, 2_035, 2_048, 2_049):
            assert service.history(**filters | {name: "x" * length}).summaries == []
    finally:
        events.unregister("provide-client-params.dynamodb.Query", note)
    assert asked
    assert max(asked) <= 2_048


def test_the_async_twins_do_the_same(half_done: Orchestration, settings: Settings) -> None:
    async def everything() -> tuple[list[int], list[int], list[str]]:
        service = aio.OrchestrationService(settings)
        orchestration = await service.orchestration(half_done.id)
        ended = [outcome.index async for outcome in orchestration.outcomes()]
        completed = [outcome.index async for outcome in orchestration.outcomes(Status.COMPLETED)]
        page = await service.history(job_name="halve", limit=1)
        return ended, completed, [summary.orchestration_id for summary in page.summaries]

    assert asyncio.run(everything()) == ([0, 1], [0], [half_done.id])


def test_a_moment_without_a_time_zone_is_refused(service: OrchestrationService) -> None:
    with pytest.raises(InvalidTimeRange, match="until=2026-11-24T00:00:00 has no time zone; add tzinfo"):
        service.history(until=datetime(2026, 11, 24))  # noqa: DTZ001 -- the point


def test_dynamodb_is_not_asked_between_a_moment_to_come_and_now(
    service: OrchestrationService, dynamodb_calls: list[str]
) -> None:
    """It refuses such a query (ValidationException)."""
    assert service.history(job_name="halve", since=datetime.now(UTC) + timedelta(days=1)) == ([], None)
    assert dynamodb_calls == []
