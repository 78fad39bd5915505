import pytest

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import EventConflict, OrchestrationNotFound, OrchestrationOfOtherService
from background_jobs.core.planning.footprint import item_bytes
from background_jobs.settings import Settings
from tests.memory import append_events
from tests.unit.histories import (
    ORCHESTRATION_ID,
    cancelled,
    job_completed,
    job_errored,
    job_started,
    started,
)


def test_appending_the_same_event_twice_is_harmless(stores: Stores) -> None:
    event = started(3, tags={"customer": "acme"})
    assert stores.event_log.append_kick_off(event) == event
    assert stores.event_log.append_kick_off(event) == event
    stores.event_log.append(cancelled())
    stores.event_log.append(cancelled())
    assert stores.event_log.read_started_and_cancelled(ORCHESTRATION_ID) == (event, cancelled())


def test_another_event_in_the_same_place_is_refused(stores: Stores) -> None:
    append_events(stores, started(1), cancelled())
    with pytest.raises(EventConflict, match="orchestration#cancelled"):
        stores.event_log.append(cancelled(seconds=4))


def test_the_first_kick_off_under_an_id_stays(stores: Stores) -> None:
    stores.event_log.append_kick_off(started(3))
    assert stores.event_log.append_kick_off(started(4)) == started(3)


def test_an_id_belongs_to_one_service(stores: Stores) -> None:
    stores.event_log.append_kick_off(started(3))
    other = started(3).model_copy(update={"service": "billing"})
    with pytest.raises(OrchestrationOfOtherService, match="'default'"):
        stores.event_log.append_kick_off(other)
    with pytest.raises(OrchestrationNotFound):
        stores.event_log.for_service("billing").read_started(ORCHESTRATION_ID)


def test_outcomes_come_in_order_over_many_blocks_and_partitions(stores: Stores) -> None:
    append_events(stores, started(600))
    append_events(stores, *(job_completed(index) for index in reversed(range(300))))
    append_events(stores, *(job_completed(index) for index in reversed(range(300, 600))))
    assert [event.index for event in stores.event_log.read_outcomes(ORCHESTRATION_ID, 0, 599)] == list(
        range(600)
    )
    assert [event.index for event in stores.event_log.read_outcomes(ORCHESTRATION_ID, 240, 260)] == list(
        range(240, 261)
    )


def test_unfinished_are_those_without_an_outcome(stores: Stores) -> None:
    append_events(stores, started(300), job_started(4), job_completed(0), job_completed(251), job_errored(2))
    assert stores.event_log.find_unfinished(ORCHESTRATION_ID, 0, 4) == [1, 3, 4]
    assert stores.event_log.find_unfinished(ORCHESTRATION_ID, 249, 252) == [249, 250, 252]


def test_starts_are_read_with_every_attempt(stores: Stores) -> None:
    events = [job_started(1, 1), job_started(1, 2), job_started(2, 1)]
    append_events(stores, started(4), *events, job_started(3), job_completed(1))
    assert list(stores.event_log.read_starts(ORCHESTRATION_ID, 1, 2)) == events


def test_an_orchestration_that_never_started_is_not_found(stores: Stores) -> None:
    with pytest.raises(OrchestrationNotFound, match="Check the id"):
        stores.event_log.read_started(ORCHESTRATION_ID)


def test_the_cost_model_knows_the_size_of_an_item(stores: Stores, settings: Settings) -> None:
    event = started(3)
    stores.event_log.append_kick_off(event)
    key = {"pk": {"S": f"default#{ORCHESTRATION_ID}"}, "sk": {"S": event.sort_key}}
    item = clients.dynamodb().get_item(TableName=settings.event_log_table, Key=key)["Item"]
    # names and texts by their letters, a number by half its digits and one more
    texts = sum(len(name) + len(value.get("S", "")) for name, value in item.items())
    assert item_bytes(event) == texts + len(item["expires_at"]["N"]) // 2 + 1


@pytest.mark.parametrize(
    ("sort", "document"),
    [
        ("orchestration#cancelled", "{"),
        ("orchestration#made-up", cancelled().model_dump_json()),
        ("orchestration#completed", job_completed(0).model_dump_json()),
        ("rerun#1", started(1).model_copy(update={"service": "billing"}).model_dump_json()),
    ],
)
def test_what_is_no_event_of_its_place_is_passed_by(
    stores: Stores, settings: Settings, sort: str, document: str
) -> None:
    stores.event_log.append_kick_off(started(1))
    item = {"pk": {"S": f"default#{ORCHESTRATION_ID}"}, "sk": {"S": sort}, "document": {"S": document}}
    clients.dynamodb().put_item(TableName=settings.event_log_table, Item=item)
    assert stores.event_log.read_orchestration(ORCHESTRATION_ID).events == [started(1)]
    assert stores.event_log.read_cancelled(ORCHESTRATION_ID) is None
