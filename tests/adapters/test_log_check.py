"""What `rebuild --check` finds: a log that somebody changed, and a read model that is not what it makes."""

from collections.abc import Callable
from typing import Any

import pytest

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import check, differences, rebuild
from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.ownership import begin
from background_jobs.settings import Settings
from tests.memory import append_events
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_errored, job_started, started

WHOLE = f"default#{ORCHESTRATION_ID}"
PARTITION = f"{WHOLE}#jobs#00000"
FIRST = InstanceRange("default", ORCHESTRATION_ID, 0, 1)


@pytest.fixture(autouse=True)
def orchestration(stores: Stores, aggregate: Callable[[], list[Any]]) -> None:
    """Make a log of three blocks of a range, and its read model."""
    append_events(stores, started(4))
    owner = begin(FIRST, "container")
    for event in (job_started(0), job_completed(0), job_completed(1)):
        (body,) = cut_bodies([event])
        stores.block_log.run(owner.append(body))
    assert aggregate() == []


@pytest.fixture
def put(settings: Settings) -> Callable[[dict[str, Any]], None]:
    """Put an item without a condition, as IAM cannot forbid."""

    def put(item: dict[str, Any]) -> None:
        clients.dynamodb().put_item(TableName=settings.event_log_table, Item=item)

    return put


def item_at(settings: Settings, partition: str, sort: str) -> dict[str, Any]:
    key: Any = {"pk": {"S": partition}, "sk": {"S": sort}}
    return dict(clients.dynamodb().get_item(TableName=settings.event_log_table, Key=key)["Item"])


def test_nothing_is_wrong_with_what_nobody_touched(stores: Stores) -> None:
    assert differences(ORCHESTRATION_ID, stores) == []


def test_a_block_that_was_removed_leaves_a_gap(stores: Stores, settings: Settings) -> None:
    key: Any = {"pk": {"S": PARTITION}, "sk": {"S": FIRST.key(1).sort}}
    clients.dynamodb().delete_item(TableName=settings.event_log_table, Key=key)
    found = check(ORCHESTRATION_ID, stores)
    assert found.log == ["log: block 1 of instances 0 to 1 is missing"]
    assert "completed: stored 2, should be 1" in found.read_model


def test_a_completion_that_was_removed_is_missing(
    stores: Stores, settings: Settings, aggregate: Callable[[], list[Any]]
) -> None:
    # given an orchestration that has completed
    owner = begin(InstanceRange("default", ORCHESTRATION_ID, 2, 3), "container")
    for index in (2, 3):
        (body,) = cut_bodies([job_completed(index)])
        stores.block_log.run(owner.append(body))
    assert [aggregate() for _ in range(2)] == [[], []]
    assert check(ORCHESTRATION_ID, stores).log == []
    # when somebody removes the completion, then the item is told to be missing
    key: Any = {"pk": {"S": WHOLE}, "sk": {"S": "orchestration#completed"}}
    clients.dynamodb().delete_item(TableName=settings.event_log_table, Key=key)
    (fault,) = check(ORCHESTRATION_ID, stores).log
    assert fault.startswith("log: orchestration#completed is missing")


def test_two_outcomes_of_one_instance_are_named_with_their_places(stores: Stores) -> None:
    (body,) = cut_bodies([job_errored(1)])
    stores.block_log.append(Block(FIRST, 3, 1, "somebody", body))
    (fault,) = check(ORCHESTRATION_ID, stores).log
    assert fault == f"log: instance 1 has two outcomes, in {FIRST.key(2).sort} and in {FIRST.key(3).sort}"


def test_a_block_of_a_range_that_no_container_has_is_named(stores: Stores) -> None:
    (body,) = cut_bodies([job_started(1)])
    stores.block_log.append(Block(InstanceRange("default", ORCHESTRATION_ID, 1, 2), 0, 0, "somebody", body))
    (fault,) = check(ORCHESTRATION_ID, stores).log
    assert fault.endswith("is of a range that no container has")


@pytest.mark.parametrize(
    "change",
    [
        {"events": {"B": b"no zlib"}},
        {"events": {"S": '[{"type":"JobCompleted","index":7}]'}},
        {"events": {"S": "[1]"}},
        {"fence": {"S": "high"}},
        {"owner": {"N": "1"}},
    ],
)
def test_a_block_that_cannot_be_read_is_named_and_the_others_are_folded(
    stores: Stores, settings: Settings, put: Callable[[dict[str, Any]], None], change: dict[str, Any]
) -> None:
    place = FIRST.key(1)
    put(item_at(settings, *place) | change)
    found = check(ORCHESTRATION_ID, stores)
    (fault,) = found.log
    assert fault.startswith(f"log: {place.sort} in {place.partition} cannot be read: ")
    assert "completed: stored 2, should be 1" in found.read_model


@pytest.mark.parametrize(
    "change",
    [
        {"orchestration_id": ORCHESTRATION_ID.replace("0", "1")},
        {"service": "another"},
        {"type": "OrchestrationCancelled"},
    ],
)
def test_an_event_of_the_orchestration_that_differs_from_its_key_is_named(
    stores: Stores, put: Callable[[dict[str, Any]], None], change: dict[str, Any]
) -> None:
    forged = started(4).model_copy(update=change).model_dump_json(exclude_none=True)
    put({"pk": {"S": WHOLE}, "sk": {"S": "orchestration#completed"}, "document": {"S": forged}})
    (fault,) = check(ORCHESTRATION_ID, stores).log
    assert fault.startswith(f"log: orchestration#completed in {WHOLE} cannot be read: ")


def test_rebuilding_corrects_the_read_model_and_still_tells_of_the_log(
    stores: Stores, settings: Settings, put: Callable[[dict[str, Any]], None]
) -> None:
    put(item_at(settings, *FIRST.key(1)) | {"events": {"S": "?"}})
    found = rebuild(ORCHESTRATION_ID, stores, at(9))
    assert found.log
    assert found.read_model
    again = check(ORCHESTRATION_ID, stores)
    assert (again.log, again.read_model) == (found.log, [])
