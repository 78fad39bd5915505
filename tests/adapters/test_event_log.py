import pytest

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict, OrchestrationNotFound
from background_jobs.core.planning.footprint import item_bytes
from background_jobs.settings import Settings
from tests.unit.histories import ORCHESTRATION_ID, job_completed, job_errored, job_started, started


def test_appending_the_same_event_twice_is_harmless(stores: Stores) -> None:
    event = started(3, tags={"customer": "acme"})
    stores.event_log.append(event)
    stores.event_log.append(event)
    assert stores.event_log.read_started(ORCHESTRATION_ID) == event


def test_another_event_in_the_same_place_is_refused(stores: Stores) -> None:
    stores.event_log.append(job_completed(0))
    with pytest.raises(EventConflict, match="outcome#00000000"):
        stores.event_log.append(job_errored(0))


def test_the_first_outcome_counts_and_its_neighbours_in_the_batch_are_kept(stores: Stores) -> None:
    stores.event_log.append(job_errored(1))

    stores.event_log.append_all([job_completed(index) for index in range(3)])

    outcomes = list(stores.event_log.read_outcomes(ORCHESTRATION_ID, 0, 2))
    assert outcomes == [job_completed(0), job_errored(1), job_completed(2)]


def test_outcomes_come_in_order_over_many_transactions_and_partitions(stores: Stores) -> None:
    stores.event_log.append_all(job_completed(index) for index in reversed(range(600)))
    assert [event.index for event in stores.event_log.read_outcomes(ORCHESTRATION_ID, 0, 599)] == list(
        range(600)
    )
    assert [event.index for event in stores.event_log.read_outcomes(ORCHESTRATION_ID, 240, 260)] == list(
        range(240, 261)
    )


def test_a_batch_of_large_events_is_cut_below_the_size_of_a_transaction(stores: Stores) -> None:
    events = [job_completed(index, result="x" * 100_000) for index in range(60)]
    stores.event_log.append_all(events)
    assert sum(1 for _ in stores.event_log.read_outcomes(ORCHESTRATION_ID, 0, 59)) == 60


def test_unfinished_are_those_without_an_outcome(stores: Stores) -> None:
    stores.event_log.append_all([job_started(4), job_completed(0), job_completed(251), job_errored(2)])
    assert stores.event_log.find_unfinished(ORCHESTRATION_ID, 0, 4) == [1, 3, 4]
    assert stores.event_log.find_unfinished(ORCHESTRATION_ID, 249, 252) == [249, 250, 252]


def test_starts_are_read_with_every_attempt(stores: Stores) -> None:
    events = [job_started(1, 1), job_started(1, 2), job_started(2, 1)]
    stores.event_log.append_all([*events, job_started(3), job_completed(1)])
    assert list(stores.event_log.read_starts(ORCHESTRATION_ID, 1, 2)) == events


def test_an_orchestration_that_never_started_is_not_found(stores: Stores) -> None:
    with pytest.raises(OrchestrationNotFound, match="Check the id"):
        stores.event_log.read_started(ORCHESTRATION_ID)


def test_the_cost_model_knows_the_size_of_an_item(stores: Stores, settings: Settings) -> None:
    event = job_completed(0)
    stores.event_log.append(event)
    partition, sort = event.key
    key = {"pk": {"S": partition}, "sk": {"S": sort}}
    item = clients.dynamodb().get_item(TableName=settings.event_log_table, Key=key)["Item"]
    # names and texts by their letters, a number by half its digits and one more
    texts = sum(len(name) + len(value.get("S", "")) for name, value in item.items())
    assert item_bytes(event) == texts + len(item["expires_at"]["N"]) // 2 + 1
