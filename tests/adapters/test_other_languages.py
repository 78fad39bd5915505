"""What docs/containers.md tells a container in another language to write."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.blocks import InstanceRange, cut_bodies
from background_jobs.core.events import JobCompleted
from background_jobs.core.ownership import close
from background_jobs.settings import Settings
from tests.unit.histories import job_errored

DOCUMENT = Path(__file__).parents[2] / "docs" / "containers.md"
RANGE = InstanceRange("billing", "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11", 251, 251)


@pytest.fixture
def request_of_document(settings: Settings) -> dict[str, Any]:
    (example,) = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    request: dict[str, Any] = json.loads(example)
    return request | {"TableName": settings.event_log_table}


def test_the_block_of_the_document_is_the_outcome_of_its_instance(
    stores: Stores, request_of_document: dict[str, Any]
) -> None:
    clients.dynamodb().put_item(**request_of_document)
    log = stores.event_log.for_service("billing")
    (outcome,) = log.read_outcomes(RANGE.orchestration_id, 0, 300)
    assert isinstance(outcome, JobCompleted)
    assert (outcome.index, outcome.result) == (251, 42)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        clients.dynamodb().put_item(**request_of_document)


def test_an_instance_that_was_closed_takes_no_other_outcome(
    stores: Stores, request_of_document: dict[str, Any]
) -> None:
    closing = close(RANGE, "closer", lambda left, _blocks: cut_bodies(map(job_errored, left)))
    assert stores.block_log.run(closing) == 1
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        clients.dynamodb().put_item(**request_of_document)
