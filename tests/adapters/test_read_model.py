import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from background_jobs.aws import clients
from background_jobs.aws.read_model import ReadModelConflict
from background_jobs.aws.stores import Stores
from background_jobs.core.events import Event
from background_jobs.core.fold import ChunkNumbers, FoldResult, fold
from background_jobs.settings import Settings
from tests.unit.histories import ORCHESTRATION_ID, at, job_completed, job_errored, job_started, started


@pytest.fixture
def stores(settings: Settings) -> Stores:
    return Stores.of(settings).for_service("default")


def folding(stores: Stores, *events: Event) -> FoldResult:
    return fold(stores.read_model.read_chunks(ORCHESTRATION_ID, ChunkNumbers.of_events(events)), events)


def test_what_was_committed_is_loaded_one_version_on(stores: Stores) -> None:
    folded = folding(stores, started(4000), job_completed(0), job_errored(3999))
    summary = stores.read_model.commit(folded, at(9))

    assert stores.read_model.read_summary(ORCHESTRATION_ID) == summary
    assert (summary.version, summary.completed, summary.errored) == (1, 1, 1)
    assert (
        stores.read_model.read_chunks(
            ORCHESTRATION_ID, ChunkNumbers.of_events([job_completed(0), job_errored(3999)])
        ).chunks
        == folded.model.chunks
    )


def test_the_second_of_two_aggregators_that_read_the_same_version_must_read_again(stores: Stores) -> None:
    first, second = folding(stores, job_completed(0)), folding(stores, job_completed(1))
    stores.read_model.commit(first, at(9))
    with pytest.raises(ReadModelConflict):
        stores.read_model.commit(second, at(9))
    assert stores.read_model.read_summary(ORCHESTRATION_ID).completed == 1


def test_the_feed_resumes_and_brings_each_version_once(stores: Stores) -> None:
    for event in (job_started(0), job_completed(0), job_completed(1, seconds=5)):
        stores.read_model.commit(folding(stores, event), at(9))

    feed = list(stores.read_model.read_feed(ORCHESTRATION_ID, after=1))

    assert [(item.version, item.running, item.completed) for item in feed] == [(2, 0, 1), (3, 0, 2)]
    assert [(m.index, m.at) for item in feed for m in item.transitions] == [(0, at(2)), (1, at(5))]


def test_before_anything_was_folded_there_is_version_zero(stores: Stores) -> None:
    assert stores.read_model.read_summary(ORCHESTRATION_ID).version == 0


def cancels_once(operation: str, *codes: str) -> None:
    """Have DynamoDB cancel the next transaction, as it does when others work on the same items."""
    reasons = [{"Code": code} for code in codes]
    kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    body = json.dumps({"__type": kind, "message": "cancelled", "CancellationReasons": reasons}).encode()
    raw: Any = SimpleNamespace(stream=lambda: [body])
    headers: Any = {}
    answers = [AWSResponse("", 400, headers, raw)]

    def answer(**_: object) -> Any:
        return answers.pop() if answers else None

    clients.dynamodb().meta.events.register_first(f"before-send.dynamodb.{operation}", answer)


def test_what_is_read_while_an_aggregator_commits_is_read_again(stores: Stores) -> None:
    stores.read_model.commit(folding(stores, started(1)), at(0))
    cancels_once("TransactGetItems", "TransactionConflict", "None")
    assert (
        stores.read_model.read_chunks(
            ORCHESTRATION_ID, ChunkNumbers(frozenset({0}), frozenset())
        ).summary.total
        == 1
    )


def test_a_commit_that_can_never_be_is_no_conflict(stores: Stores) -> None:
    cancels_once("TransactWriteItems", "ValidationError", "None")
    with pytest.raises(ClientError, match="cancelled"):
        stores.read_model.commit(folding(stores, started(1)), at(0))


def test_what_is_too_long_for_an_index_is_folded_all_the_same(stores: Stores) -> None:
    long = started(1).model_copy(update={"tags": {"customer": "é" * 1_100}})
    assert stores.read_model.commit(folding(stores, long), at(0)).total == 1
