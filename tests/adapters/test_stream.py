"""The stream of the log: from records, whatever they hold, to the events of each orchestration."""

import base64
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import aggregate_jobs, stream
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.stream import handle_records, report_changes
from background_jobs.core.blocks import cut_bodies, ranges_of_orchestration
from background_jobs.core.events import Event, JobCompleted
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.ownership import begin
from background_jobs.settings import Settings
from tests.memory import append_events, expect_no_unreadable
from tests.unit.histories import (
    ORCHESTRATION_ID,
    at,
    cancelled,
    job_completed,
    job_errored,
    job_progressed,
    job_started,
    started,
)

NOTHING_FAILED: dict[str, list[Any]] = {"batchItemFailures": []}
Handled = list[tuple[str, str, Sequence[Event]]]


@pytest.fixture
def deliver(settings: Settings, given_up: list[UnreadableRecord]) -> Callable[..., tuple[Handled, list[str]]]:
    """Deliver the items of the log as Lambda does; return what was handled, and what is to come again."""

    def deliver(items: list[Any] | None = None) -> tuple[Handled, list[str]]:
        handled: Handled = []
        answer = handle_records(
            [record(number, item) for number, item in enumerate(scan(settings) if items is None else items)],
            lambda *portion: handled.append(portion),
            given_up.append,
        )
        return handled, [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    return deliver


def scan(settings: Settings) -> list[Any]:
    return list(clients.dynamodb().scan(TableName=settings.event_log_table)["Items"])


def record(number: int, item: dict[str, Any], name: str = "INSERT", **more: Any) -> dict[str, Any]:
    """Return the record of an item: its binary attributes are base64, as Lambda has them."""
    image = {
        field: {kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value}
        for field, typed in item.items()
        for kind, value in typed.items()
    }
    keys = {field: image[field] for field in ("pk", "sk")}
    changed = {"Keys": keys, "SequenceNumber": str(number), "NewImage": image}
    return {"eventName": name, "dynamodb": changed, **more}


def test_blocks_are_unpacked_and_all_else_of_the_log_passed_by(
    stores: Stores, deliver: Callable[..., tuple[Handled, list[str]]]
) -> None:
    append_events(stores, started(300), job_started(0), *(job_completed(index) for index in range(300)))
    ((service, orchestration_id, events),), failed = deliver()
    assert (service, orchestration_id, failed) == ("default", ORCHESTRATION_ID, [])
    assert events[0] == started(300)
    assert [event.index for event in events if isinstance(event, JobCompleted)] == list(range(300))


def test_what_is_in_no_place_of_its_own_is_refused_and_stops_nobody_else(
    stores: Stores,
    settings: Settings,
    deliver: Callable[..., tuple[Handled, list[str]]],
    given_up: list[UnreadableRecord],
) -> None:
    # given events and blocks under keys of others
    append_events(stores, started(2), cancelled(), job_completed(0), job_completed(1))
    items = {item["sk"]["S"]: item for item in scan(settings)}
    other = ORCHESTRATION_ID.replace("0", "1")
    forged = [
        items["orchestration#started"] | {"pk": {"S": f"another#{ORCHESTRATION_ID}"}},
        items["orchestration#cancelled"] | {"pk": {"S": f"default#{other}"}},
        items["orchestration#cancelled"] | {"sk": {"S": "orchestration#completed"}},
        items["block#00000000-00000000#000000"] | {"sk": {"S": "block#00000001-00000001#000001"}},
        items["block#00000000-00000000#000000"] | {"sk": {"S": "anything"}},
        {"pk": {"S": f"default#{other}#jobs#00000"}, "sk": {"S": "x"}},
    ]

    # when they are delivered among others
    handled, failed = deliver([*forged, *items.values()])

    # then they are handed to the failure queue at once, and the others are handled
    assert failed == []
    assert {unreadable.sequence_number for unreadable in given_up} == set(map(str, range(len(forged))))
    ((_, orchestration_id, events),) = handled
    assert (orchestration_id, len(events)) == (ORCHESTRATION_ID, 4)


def test_a_batch_of_many_events_is_handled_in_portions_by_partition(
    stores: Stores, deliver: Callable[..., tuple[Handled, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    append_outcomes(stores, 1_000, containers=1)
    monkeypatch.setattr(stream, "EVENTS_AT_ONCE", 300)
    handled, _ = deliver()
    assert all(len(events) <= 300 for _, _, events in handled)
    indices = [event.index for _, _, events in handled for event in events if isinstance(event, JobCompleted)]
    assert indices == list(range(1_000))


def test_of_a_portion_that_fails_the_first_record_is_named(stores: Stores, settings: Settings) -> None:
    append_outcomes(stores, 500, containers=1)
    records = [record(number, item) for number, item in enumerate(reversed(scan(settings)))]

    def fail(*_: object) -> None:
        raise RuntimeError("not now")

    assert handle_records(records, fail, expect_no_unreadable) == {
        "batchItemFailures": [{"itemIdentifier": "0"}]
    }


def test_items_that_are_replaced_or_removed_are_reported_and_what_expires_is_not(
    stores: Stores, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    append_events(stores, started(1), job_completed(0))
    block = next(item for item in scan(settings) if item["sk"]["S"].startswith("block#"))
    expired = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    records = [
        record(0, block),
        record(1, block, "MODIFY"),
        record(2, block, "REMOVE"),
        record(3, block, "REMOVE", userIdentity=expired),
    ]
    with caplog.at_level(logging.ERROR):
        assert report_changes(records) == 2
    assert [entry.getMessage().partition(":")[0] for entry in caplog.records] == [
        "An item of the event log was replaced",
        "An item of the event log was removed",
    ]
    assert f"default#{ORCHESTRATION_ID}#jobs#00000 / block#00000000-00000000#000000" in caplog.text


def append_outcomes(stores: Stores, total: int, containers: int) -> None:
    """Append a kick-off, and one block of outcomes for each range."""
    stores.event_log.append_kick_off(started(total).model_copy(update={"parallelism": containers}))
    for part in ranges_of_orchestration("default", ORCHESTRATION_ID, total, containers):
        indices = range(part.first, part.last + 1)
        (body,) = cut_bodies(job_completed(index, seconds=1 + index * 0.0003) for index in indices)
        stores.block_log.run(begin(part, "launch").append(body))


class WriteUnits:
    """Counts the write units of the transactions of this process, from the sizes of their items."""

    def __init__(self) -> None:
        self.by_partition: Counter[str] = Counter()
        clients.dynamodb().meta.events.register(
            "provide-client-params.dynamodb.TransactWriteItems", self._count
        )

    def _count(self, params: dict[str, Any], **_: object) -> None:
        for action in params["TransactItems"]:
            item = action["Put"]["Item"]
            size = sum(len(name) + _length(value) for name, value in item.items())
            self.by_partition[item["pk"]["S"]] += 2 * math.ceil(size / 1024)


def _length(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    return len(content) // 2 + 1 if kind == "N" else len(content.encode() if kind == "S" else content)


def refuse_commits(monkeypatch: pytest.MonkeyPatch, codes: list[str], times: int) -> list[Any]:
    """Cancel the next transactions; return a list of those that were."""
    monkeypatch.setattr(aggregate_jobs, "wait_before_retry", lambda _attempt: None)
    client = clients.dynamodb()
    write, refused = client.transact_write_items, list[Any]()

    def refuse(**request: Any) -> Any:
        if len(refused) == times:
            return write(**request)
        refused.append(request)
        error: Any = {"Code": "TransactionCanceledException", "Message": "cancelled"}
        answer: Any = {"Error": error, "CancellationReasons": [{"Code": code} for code in codes]}
        raise client.exceptions.TransactionCanceledException(answer, "TransactWriteItems")

    monkeypatch.setattr(client, "transact_write_items", refuse)
    return refused


class TestTheAggregator:
    @pytest.fixture
    def aggregator(self, stores: Stores, settings: Settings) -> Aggregator:
        bus = EventBus(clients.events(), settings.event_bus)
        return Aggregator(stores.event_log, stores.read_model, bus, clock=lambda: at(0))

    def test_thousands_of_outcomes_take_few_write_units(
        self, stores: Stores, settings: Settings, aggregator: Aggregator
    ) -> None:
        # given blocks of 250 outcomes, of which the stream delivers four at a time
        append_outcomes(stores, 10_000, containers=2)
        records = [record(number, item) for number, item in enumerate(scan(settings))]

        units = WriteUnits()
        for first in range(0, len(records), 4):
            assert (
                handle_records(records[first : first + 4], aggregator.aggregate, expect_no_unreadable)
                == NOTHING_FAILED
            )

        # then an instance takes a fraction of a write unit, and each partition has room for 10,000/s
        assert stores.read_model.read_summary(ORCHESTRATION_ID).completed == 10_000
        assert units.by_partition.total() / 10_000 < 0.02
        assert max(units.by_partition.values()) < 1_000

    def test_reports_of_progress_never_exceed_an_item_of_the_feed(
        self, stores: Stores, aggregator: Aggregator
    ) -> None:
        append_events(stores, started(2_000))
        events = [job_progressed(index, message="\N{PILE OF POO}" * 300) for index in range(2_000)]
        aggregator.aggregate("default", ORCHESTRATION_ID, [started(2_000), *events])
        feed = list(stores.read_model.read_feed(ORCHESTRATION_ID, after=0))
        assert sum(len(item.advances) for item in feed) == 2_000
        assert {len(advance.message) for item in feed for advance in item.advances} == {80}

    def test_instances_of_more_chunks_than_a_transaction_holds_take_several(
        self, stores: Stores, aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(aggregate_jobs, "CHUNKS_PER_COMMIT", 20)  # moto reads 25 items at once
        append_events(stores, started(350_000))
        events = [job_errored(index) for index in range(0, 350_000, 1_000)]
        aggregator.aggregate("default", ORCHESTRATION_ID, [started(350_000), *events])
        assert stores.read_model.read_summary(ORCHESTRATION_ID).errored == len(events)

    @pytest.mark.parametrize(
        "codes", [["ThrottlingError", "None"], ["TransactionConflict"], ["ConditionalCheckFailed"]]
    )
    def test_what_dynamodb_refuses_for_now_is_tried_again_in_place(
        self, stores: Stores, aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch, codes: list[str]
    ) -> None:
        append_events(stores, started(1))
        refused = refuse_commits(monkeypatch, codes, times=20)
        aggregator.aggregate("default", ORCHESTRATION_ID, [started(1), job_completed(0)])
        assert stores.read_model.read_summary(ORCHESTRATION_ID).completed == 1
        assert len(refused) == 20

    def test_the_batch_fails_once_the_time_of_the_function_is_over(
        self, stores: Stores, aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append_events(stores, started(1))
        refused = refuse_commits(monkeypatch, ["ThrottlingError"], times=99)
        with pytest.raises(Exception, match="cancelled"):
            aggregator.aggregate(
                "default", ORCHESTRATION_ID, [job_completed(0)], is_over=lambda: len(refused) > 3
            )
        assert len(refused) == 4

    def test_what_can_never_be_is_not_tried_again(
        self, stores: Stores, aggregator: Aggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append_events(stores, started(1))
        refused = refuse_commits(monkeypatch, ["ValidationError"], times=99)
        with pytest.raises(Exception, match="cancelled"):
            aggregator.aggregate("default", ORCHESTRATION_ID, [job_completed(0)])
        assert len(refused) == 1
