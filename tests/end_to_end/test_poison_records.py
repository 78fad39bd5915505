"""Records that nobody can read, written straight into the log: they stop nobody, and their orchestration ends."""

import json
from typing import Any

import boto3
import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import check
from background_jobs.core.blocks import InstanceRange, cut_bodies
from background_jobs.core.events import EventKey, log_partition
from background_jobs.core.ids import orchestration_id_for_key
from background_jobs.local_stack import LocalStack
from tests.offline import until
from tests.unit.histories import job_completed

PATIENCE = 120
BYSTANDERS = 200
LATER = {"type": "JobCompleted", "index": 1, "at": "2026-11-24T09:00:00Z", "attempts": 1, "schema_version": 2}
DEEP = b'{"type":"JobCompleted","index":3,"at":"2026-11-24T09:00:00Z","attempts":1,"result":%b}' % (
    b"[" * 210 + b"]" * 210
)


def put(stack: LocalStack, key: EventKey, **fields: Any) -> None:
    item: Any = {"pk": {"S": key.partition}, "sk": {"S": key.sort}, **fields}
    clients.dynamodb().put_item(TableName=stack.settings.event_log_table, Item=item)


def block(events: dict[str, Any]) -> dict[str, Any]:
    return {"type": {"S": "Block"}, "fence": {"N": "0"}, "owner": {"S": "somebody"}, "events": events}


@pytest.fixture
def poisoned(stack: LocalStack) -> str:
    """The id of an orchestration whose log is poisoned before it is kicked off."""
    orchestration_id = orchestration_id_for_key("default", "total", "poisoned")
    whole = log_partition("default", orchestration_id)
    later = {"type": "RerunRequested", "orchestration_id": orchestration_id, "schema_version": 2}
    for sort, kind, document in [
        ("rerun#garbage", "RerunRequested", "no JSON"),
        ("rerun#unknown", "JobTeleported", '{"type":"JobTeleported"}'),
        ("rerun#later", "RerunRequested", json.dumps(later)),
        ("rerun#number", "RerunRequested", "7"),
    ]:
        put(stack, EventKey(whole, sort), type={"S": kind}, document={"S": document})
    part = InstanceRange("default", orchestration_id, 0, 3)
    first, third = (next(cut_bodies([job_completed(index, result={"total": 0})])) for index in (0, 2))
    body = b"[%b,%b,%b,%b]" % (first[1:-1], json.dumps(LATER).encode(), third[1:-1], DEEP)
    put(stack, part.key(0), **block({"S": body.decode()}))
    put(stack, part.key(1), **block({"B": b"\x00\xff no zlib"}))
    return orchestration_id


def unreadable_in_queue() -> dict[tuple[str, str], list[str]]:
    """Return what the failure queue tells of records that cannot be read, by function and sort key."""
    sqs = boto3.client("sqs")
    found: dict[tuple[str, str], list[str]] = {}
    for url in sqs.list_queues()["QueueUrls"]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get(
            "Messages", []
        ):
            told = json.loads(message["Body"])
            if told.get("type") == "UnreadableRecord":
                found[told["function"], told["sort"]] = told["faults"]
    return found


def test_poison_records_stop_nobody_and_their_orchestration_ends(
    stack: LocalStack, service: OrchestrationService, poisoned: str
) -> None:
    # given bystanders, and an orchestration of which somebody wrote the first blocks
    bystander = service.kick_off_job("total", [{"values": [1, 2]}] * BYSTANDERS, parallelism=2)
    orchestration = service.kick_off_job(
        "total", [{"values": [n]} for n in range(4)], parallelism=1, key="poisoned"
    )
    assert orchestration.id == poisoned
    later = service.kick_off_job("total", [{"values": [3]}])

    # then the bystanders complete
    for healthy, total in ((bystander, BYSTANDERS), (later, 1)):
        successes, failures = service.get_job_results(healthy.id, timeout=PATIENCE)
        assert (len(successes), failures) == (total, None)
        until(lambda done=healthy: done.summary().done, PATIENCE)  # type: ignore[misc]

    # and the poisoned one ends: what can be read stands, and a relaunch runs the others again
    successes, failures = service.get_job_results(poisoned, timeout=PATIENCE)
    assert [success.index for success in successes] == [0, 1, 2, 3]
    assert [success.result.get("index") for success in successes] == [None, 1, None, 3]
    assert failures is None
    until(lambda: orchestration.summary().done, PATIENCE)

    # and each record is in the failure queue, with what is wrong with it, and the log is told of
    expected = {f"rerun#{name}" for name in ("garbage", "unknown", "later", "number")}
    expected |= {"block#00000000-00000003#000000", "block#00000000-00000003#000001"}
    until(lambda: {sort for _, sort in unreadable_in_queue()} >= expected, PATIENCE)
    faults = unreadable_in_queue()["aggregate_jobs", "block#00000000-00000003#000000"]
    assert [fault.partition(":")[0] for fault in faults] == ["event 2", "event 4"]
    found = check(poisoned, Stores.of(stack.settings))
    assert found.read_model == []
    # three of them look as if a later release had written them
    assert (len(found.log), len(found.later)) == (len(expected) - 2, 3)


def test_an_outcome_that_nobody_can_read_ends_as_errored_and_the_orchestration_completes(
    stack: LocalStack, service: OrchestrationService
) -> None:
    # given a container that writes one of its outcomes as the functions cannot read it
    orchestration = service.kick_off_job("later_release", [{}, {"later": True}, {}], parallelism=1)

    successes, failures = service.get_job_results(orchestration.id, timeout=PATIENCE)

    assert [success.index for success in successes] == [0, 2]
    assert [(failure.index, failure.error.type) for failure in failures or []] == [(1, "UnreadableOutcome")]
    until(lambda: orchestration.summary().done, PATIENCE)
    assert check(orchestration.id, Stores.of(stack.settings)).read_model == []
