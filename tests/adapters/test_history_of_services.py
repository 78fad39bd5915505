"""The list of orchestrations for those who may read some services only."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from background_jobs import OrchestrationService, OrchestrationStatus
from background_jobs.aws import clients
from background_jobs.aws.history import HistoryPage, index_entry
from background_jobs.core.errors import InvalidToken
from background_jobs.core.read_model import Summary
from background_jobs.core.read_model_keys import SUMMARY, summary_key
from background_jobs.settings import Settings


def store(settings: Settings, service: str, number: int, status: OrchestrationStatus) -> str:
    """Store the summary of an orchestration that started *number* minutes after the first; return its id."""
    started = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=1)
    errored = int(status is OrchestrationStatus.ERRORED)
    summary = Summary(
        orchestration_id=str(uuid4()),
        version=1,
        job_name="halve",
        service=service,
        total=1,
        completed=1 - errored,
        errored=errored,
        started_at=started + timedelta(minutes=number),
        completed_at=started + timedelta(minutes=number),
    )
    item = {
        "pk": {"S": summary_key(service, summary.orchestration_id).partition},
        "sk": {"S": SUMMARY},
        "expires_at": {"N": str(int(datetime.now(UTC).timestamp()) + 3_600)},
        "document": {"S": summary.model_dump_json(exclude_none=True)},
        **index_entry(summary),
    }
    clients.dynamodb().put_item(TableName=settings.read_model_table, Item=item)
    return summary.orchestration_id


@pytest.mark.parametrize("job_name", [None, "halve"])
def test_the_history_of_some_services_is_one_list_without_gaps(
    service: OrchestrationService, settings: Settings, job_name: str | None
) -> None:
    # given orchestrations of three services, three of each moment, among them some of one service
    stored = {
        name: [store(settings, name, number // 3, OrchestrationStatus.COMPLETED) for number in range(9)]
        for name in ("bill", "billing", "reports")
    }
    # when two of the services are listed, in pages that end within a moment
    pages: list[HistoryPage] = []
    for _ in range(5):
        token = pages[-1].next_token if pages else None
        pages.append(
            service.history(services=["billing", "reports"], job_name=job_name, limit=4, next_token=token)
        )
    found = [summary for page in pages for summary in page.summaries]
    # then each is there once, newest first
    assert sorted(summary.orchestration_id for summary in found) == sorted(
        stored["billing"] + stored["reports"]
    )
    assert [len(page.summaries) for page in pages] == [4, 4, 4, 4, 2]
    assert pages[-1].next_token is None
    moments = [summary.started_at for summary in found]
    assert moments == sorted(moments, key=str, reverse=True)


def test_the_history_of_a_service_by_status_is_found_among_those_of_others(
    service: OrchestrationService, settings: Settings
) -> None:
    for number, name in enumerate(("billing", "reports", "billing", "reports")):
        store(settings, name, number, OrchestrationStatus.COMPLETED)
    errored = {name: store(settings, name, 9, OrchestrationStatus.ERRORED) for name in ("billing", "reports")}
    found = service.history(services=["billing"], status=OrchestrationStatus.ERRORED)
    assert [summary.orchestration_id for summary in found.summaries] == [errored["billing"]]
    assert service.history(services=["billing"], status=OrchestrationStatus.IN_PROGRESS) == ([], None)
    assert service.history(services=[]) == ([], None)
    # and a position that was made up is refused
    with pytest.raises(InvalidToken):
        service.history(services=["billing"], next_token=b64encode(b'{"started_at": "0001-01-01"}').decode())


def test_the_history_of_a_small_service_takes_few_reads_however_many_others_there_are(
    service: OrchestrationService, settings: Settings, dynamodb_calls: list[str]
) -> None:
    mine = store(settings, "billing", 0, OrchestrationStatus.COMPLETED)
    for number in range(30):
        store(settings, "reports", number, OrchestrationStatus.COMPLETED)
    dynamodb_calls.clear()
    (found,) = service.history(services=["billing"], limit=2).summaries
    assert found.orchestration_id == mine
    assert dynamodb_calls == ["Query", "BatchGetItem"]
