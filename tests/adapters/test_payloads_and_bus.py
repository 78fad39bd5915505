import io
import json

import pytest

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.state_machine import FanOutInput, StateMachine
from background_jobs.aws.stores import Stores
from background_jobs.core.completion import JobCompletedEvent, decide_completion
from background_jobs.core.errors import EventNotPublished, PayloadDenied, PayloadNotFound
from background_jobs.core.ids import completion_event_id
from background_jobs.core.limits import UPLOAD_PART_BYTES
from background_jobs.core.read_model import Summary
from background_jobs.settings import Settings
from tests.unit.histories import ORCHESTRATION_ID, at

SUMMARY = Summary(orchestration_id=ORCHESTRATION_ID, total=0, started_at=at(0), tags={"customer": "acme"})
completion = decide_completion(SUMMARY)
assert completion is not None
EVENT = JobCompletedEvent.from_completion(completion)


def test_a_range_of_a_payload_and_its_lines_are_read_back(stores: Stores) -> None:
    stores.payloads.upload("orchestrations/a/params.jsonl", io.BytesIO(b'{"n":0}\n{"n":1}\n{"n":2}\n'))
    assert stores.payloads.get("orchestrations/a/params.jsonl", "8-15") == b'{"n":1}\n'
    assert len(list(stores.payloads.lines("orchestrations/a/params.jsonl"))) == 3


@pytest.mark.parametrize(
    ("size", "tag"), [(UPLOAD_PART_BYTES, ""), (UPLOAD_PART_BYTES + 1, "-2")], ids=["one call", "two parts"]
)
def test_a_file_is_stored_from_its_start_and_a_large_one_in_parts(
    stores: Stores, size: int, tag: str
) -> None:
    # given a file that was just written
    content = b"12345678" * (size // 8) + b"9" * (size % 8)
    file = io.BytesIO()
    file.write(content)
    stores.payloads.upload("orchestrations/a/params.jsonl", file)
    assert stores.payloads.get("orchestrations/a/params.jsonl") == content
    stored = clients.s3().head_object(Bucket=stores.payloads.bucket, Key="orchestrations/a/params.jsonl")
    assert stored["ETag"].strip('"')[32:] == tag  # S3 notes the number of parts behind the digest


def test_a_payload_that_is_gone_is_named(stores: Stores) -> None:
    with pytest.raises(PayloadNotFound, match="nowhere"):
        stores.payloads.get("nowhere")
    with pytest.raises(PayloadNotFound, match="nowhere"):
        stores.payloads.lines("nowhere")


def test_a_payload_that_a_caller_of_one_service_cannot_tell_from_a_forbidden_one_says_so(
    stores: Stores,
) -> None:
    """S3 answers AccessDenied for an object that expired, unless the caller may list the bucket."""
    s3 = clients.s3()
    denied = s3.exceptions.ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")

    def deny(**_: object) -> None:
        raise denied

    s3.meta.events.register("before-call.s3.GetObject", deny)
    for read in (stores.payloads.get, stores.payloads.lines):
        with pytest.raises(PayloadDenied, match="Either its retention has passed, or these credentials"):
            read("orchestrations/a/results/0.json")


def test_a_completion_reaches_who_listens_on_the_bus(settings: Settings) -> None:
    # given a rule that archives what is published, and its log group
    bus = EventBus(clients.events(), settings.event_bus)
    arn = clients.events().describe_event_bus(Name=settings.event_bus)["Arn"]
    clients.events().create_archive(ArchiveName="all", EventSourceArn=arn)

    bus.publish_completed(EVENT)

    assert clients.events().describe_archive(ArchiveName="all")["EventCount"] == 1


def test_a_bus_that_refuses_is_an_error(settings: Settings) -> None:
    class Refusing:
        def put_events(self, Entries: list[object]) -> dict[str, object]:  # noqa: N803 -- boto3's spelling
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "slow"}]}

    with pytest.raises(EventNotPublished, match="Throttled: slow"):
        EventBus(Refusing(), settings.event_bus).publish_completed(EVENT)  # type: ignore[arg-type] # moto never refuses


def test_an_event_of_the_bus_reads_back_and_keeps_its_id() -> None:
    detail = json.loads(EVENT.model_dump_json())
    assert JobCompletedEvent.model_validate(detail) == EVENT
    assert detail["event_id"] == completion_event_id(EVENT.service, ORCHESTRATION_ID)


def test_starting_an_execution_twice_starts_one(settings: Settings) -> None:
    arn = clients.stepfunctions().create_state_machine(
        name="fan-out",
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
        roleArn="arn:aws:iam::123456789012:role/fan-out",
    )["stateMachineArn"]
    fan_out = FanOutInput(
        service="default",
        orchestration_id=ORCHESTRATION_ID,
        job_name="census",
        task_definition="background-jobs-test-default",
        capacity_provider="FARGATE",
        platform_version="LATEST",
        bucket=settings.payload_bucket,
        params_key="p",
        shares_key="s",
        parallelism=1,
        total=1,
        container_seconds=60,
    )
    for _ in range(2):
        StateMachine(clients.stepfunctions(), arn).start(fan_out)

    (execution,) = clients.stepfunctions().list_executions(stateMachineArn=arn)["executions"]
    assert execution["name"] == f"default_{ORCHESTRATION_ID}"
