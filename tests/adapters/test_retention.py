"""How long the data of a service is kept: its own days, the default ones, or the longest of all."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.log_items import is_block, read_item
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core.schedules.events import OccurrenceStarted
from background_jobs.jobs import Jobs, job_name
from background_jobs.settings import Settings
from tests.memory import SETTINGS
from tests.unit.histories import BEGINNING, at, started

LONGEST = 365


@job_name("describe")
def describe(params: dict[str, int]) -> str:
    return "x" * params["characters"]


@pytest.fixture
def settings() -> Settings:
    days = {"brief": 7, "ledger": LONGEST}
    return SETTINGS.model_copy(update={"retention_days": 90, "service_retention_days": days})


def kept(item: dict[str, Any], since: datetime) -> int:
    """Return for how many days *item* is kept; a fraction of a second was cut."""
    return round((int(item["expires_at"]["N"]) - since.timestamp()) / 86_400)


def events_kept(settings: Settings) -> dict[str, int]:
    items = clients.dynamodb().scan(TableName=settings.event_log_table)["Items"]
    blocks = [item for item in items if is_block(item)]
    documents = [(item, json.loads(item["document"]["S"])) for item in items if "document" in item]
    return {event.type: kept(item, event.at) for item in blocks for event in read_item(item).events} | {
        document["type"]: kept(item, datetime.fromisoformat(document["at"])) for item, document in documents
    }


@pytest.mark.parametrize(("name", "days"), [("brief", 7), ("ledger", LONGEST), ("billing", 90)])
def test_events_read_model_and_payloads_are_kept_as_long_as_their_service_says(  # noqa: PLR0913, PLR0917
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], Any],
    name: str,
    days: int,
) -> None:
    # given an orchestration of which one container worked, and the other was lost
    params: list[dict[str, Any]] = [{"characters": 50_000}, {"characters": "many"}]
    orchestration = service.kick_off_job("describe", params, service=name, parallelism=2)
    launch(orchestration, share=0, jobs=Jobs([describe]))
    close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores)
    aggregate()

    assert events_kept(settings) == dict.fromkeys(
        [
            "OrchestrationStarted",
            "ContainerStarted",
            "JobCompleted",
            "JobErrored",
            "ContainerEnded",
            "OrchestrationCompleted",
        ],
        days,
    )
    model = clients.dynamodb().scan(TableName=settings.read_model_table)["Items"]
    assert {kept(item, BEGINNING) for item in model} == {days}
    payloads = clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["Contents"]
    folder = f"orchestrations/{name}/{orchestration.id}/"
    assert [payload["Key"].removeprefix(folder).count("/") for payload in payloads] == [1, 1, 1]


def test_a_cancellation_is_kept_as_long_as_what_it_cancels(
    service: OrchestrationService, settings: Settings
) -> None:
    orchestration = service.kick_off_job("describe", [{}], service="brief")
    orchestration.cancel()
    assert events_kept(settings) == {"OrchestrationStarted": 7, "OrchestrationCancelled": 7}


def test_the_record_of_a_schedule_outlives_the_orchestrations_of_a_brief_service(
    stores: Stores, settings: Settings
) -> None:
    kick_off = started(1).model_copy(update={"service": "brief"})
    run = OccurrenceStarted(
        schedule="nightly",
        at=at(0),
        scheduled_at=at(0) - timedelta(minutes=1),
        number=1,
        orchestration_id=kick_off.orchestration_id,
    )
    stores.schedule_log.start(run, kick_off)
    assert events_kept(settings) == {"OccurrenceStarted": LONGEST, "OrchestrationStarted": 7}
