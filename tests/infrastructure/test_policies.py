"""The synthesized policies against attacks from inside a container, and the evaluator that judges them."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from background_jobs.aws.log_items import to_item
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.control_plane.stream import handle_records, report_changes
from background_jobs.core.events import (
    EventKey,
    OrchestrationStarted,
    job_partition,
    log_partition,
    pointer_key,
    schedule_partition,
)
from background_jobs.core.given_up import UnreadableRecord  # noqa: TC001 -- as the imports around it
from background_jobs.core.payload_keys import payload_folder
from tests.infrastructure.conftest import Synthesize, Template, statements_of, text_of
from tests.infrastructure.policies import LEADING_KEYS, Request, allows, listed
from tests.infrastructure.test_stack import BILLING, environment

ID: Final = "7c0e0b9a-0f0f-4c0e-9d6e-6b6a6f6f6273"
SERVICES: Final = (BILLING, ServiceConfig(name="reports", image="r"), ServiceConfig(name="bill", image="b"))


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({}, {}, True),
        ({"StringEquals": {"k": "a"}}, {"k": ["a"]}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringLike": {"k": "a#*"}}, {"k": ["a#b#c"]}, True),
        ({"StringLike": {"k": "a#*"}}, {"k": ["A#b"]}, False),
        ({"StringLike": {"k": "a?"}}, {"k": ["abc"]}, False),
        ({"StringLike": {"k": "[a]"}}, {"k": ["a"]}, False),
        ({"ArnEquals": {"k": "arn:aws:ecs:*:cluster/x"}}, {"k": ["arn:aws:ecs:eu:1:cluster/x"]}, True),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {"k": ["a", "ab"]}, True),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {"k": ["a", "b"]}, False),
        # the pitfall: a request without the key passes, unless `Null` says that there must be one
        ({"ForAllValues:StringLike": {"k": "a*"}}, {}, True),
        ({"ForAllValues:StringLike": {"k": "a*"}, "Null": {"k": "false"}}, {}, False),
        ({"ForAllValues:StringLike": {"k": "a*"}, "Null": {"k": "false"}}, {"k": ["a"]}, True),
        ({"ForAnyValue:StringLike": {"k": "a*"}}, {"k": ["b", "a"]}, True),
        ({"ForAnyValue:StringLike": {"k": "a*"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"StringEquals": {"k": "a"}, "StringLike": {"l": "b*"}}, {"k": ["a"], "l": ["c"]}, False),
    ],
)
def test_conditions_are_judged_as_iam_documents_them(
    condition: dict[str, Any], context: dict[str, list[str]], *, expected: bool
) -> None:
    statement = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:1", "Condition": condition}
    assert allows([statement], Request("s3:GetObject", "arn:1", context)) is expected


def test_what_is_denied_is_not_allowed_and_an_unknown_operator_is_no_silent_yes() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    request = Request("s3:GetObject", "arn:1")
    assert allows([allow], request)
    assert not allows([], request)
    assert not allows([allow, allow | {"Effect": "Deny"}], request)
    with pytest.raises(KeyError, match="NumericLessThan"):
        allows([allow | {"Condition": {"NumericLessThan": {"k": "1"}}}], request)


@pytest.fixture(scope="module")
def shared(synthesized: Synthesize) -> Template:
    """An environment of three services, one of whose names is how another's begins."""
    return synthesized(environment(services=SERVICES))


def policy_of(template: Template, holder: str) -> list[dict[str, Any]]:
    """Return the statements of a role, or of a managed policy, with the names of resources for their ARNs."""
    found = [
        {
            **statement,
            "Action": listed(statement["Action"]),
            "Resource": [text_of(r) for r in listed(statement["Resource"])],
        }
        for name, resource in template["Resources"].items()
        if holder in name
        for statement in statements_of(resource)
    ]
    assert found, holder
    return found


def table(template: Template, name: str) -> str:
    (found,) = [
        n for n, r in template["Resources"].items() if r["Type"] == "AWS::DynamoDB::Table" and name in n
    ]
    return str(found)


def on_log(template: Template, action: str, *partitions: str) -> Request:
    context = {LEADING_KEYS: list(partitions)} if partitions else {}
    return Request(f"dynamodb:{action}", table(template, "EventLog"), context)


def on_model(template: Template, action: str, *partitions: str) -> Request:
    return on_log(template, action, *partitions)._replace(resource=table(template, "ReadModel"))


def on_payload(template: Template, action: str, service: str) -> Request:
    (bucket,) = [n for n, r in template["Resources"].items() if r["Type"] == "AWS::S3::Bucket"]
    return Request(f"s3:{action}", f"{bucket}/{payload_folder(service, ID)}/results/0.json")


CONTAINER: Final = "ServicesbillingTaskRole"
CALLER: Final = "CallersPolicyOfbilling"
ANYBODY_ELSE: Final = ("reports", "bill", "*", "billing2")


@pytest.mark.parametrize("other", ANYBODY_ELSE)
@pytest.mark.parametrize("holder", [CONTAINER, CALLER])
def test_whoever_belongs_to_one_service_reaches_no_other(shared: Template, holder: str, other: str) -> None:
    instances, whole = job_partition(other, ID, 0), log_partition(other, ID)
    attacks = {
        "forge a result": on_log(shared, "PutItem", instances),
        "plant an outcome before there is an orchestration": on_log(shared, "PutItem", instances),
        "start a job": on_log(shared, "PutItem", whole),
        "start a job in one transaction with what is allowed": on_log(
            shared, "PutItem", log_partition("billing", ID), whole
        ),
        "read outcomes": on_log(shared, "Query", instances),
        "read the kick-off": on_log(shared, "GetItem", whole),
        "read results and params": on_payload(shared, "GetObject", other),
        "replace results": on_payload(shared, "PutObject", other),
        "read progress": on_model(shared, "Query", whole),
        "read the summary": on_model(shared, "GetItem", whole),
    }
    policy = policy_of(shared, holder)
    assert [attack for attack, request in attacks.items() if allows(policy, request)] == []


@pytest.mark.parametrize("holder", [CONTAINER, CALLER])
@pytest.mark.parametrize(
    "action", ["PutItem", "GetItem", "Query", "BatchGetItem", "Scan", "UpdateItem", "DeleteItem"]
)
def test_requests_that_name_no_partition_are_refused(shared: Template, holder: str, action: str) -> None:
    policy = policy_of(shared, holder)
    assert not allows(policy, on_log(shared, action))
    assert not allows(policy, on_model(shared, action))


@pytest.mark.parametrize("holder", [CONTAINER, CALLER])
@pytest.mark.parametrize("action", ["UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem"])
def test_nobody_may_change_or_remove_what_is_their_own(shared: Template, holder: str, action: str) -> None:
    assert not allows(policy_of(shared, holder), on_log(shared, action, job_partition("billing", ID, 0)))


def test_a_container_appends_and_reads_what_belongs_to_its_service(shared: Template) -> None:
    policy = policy_of(shared, CONTAINER)
    for action in ("PutItem", "GetItem", "Query"):
        assert allows(policy, on_log(shared, action, job_partition("billing", ID, 0)))
        assert allows(policy, on_log(shared, action, log_partition("billing", ID)))
    for action in ("GetObject", "PutObject"):
        assert allows(policy, on_payload(shared, action, "billing"))


def test_a_container_reaches_neither_pointers_nor_schedules_nor_the_read_model(shared: Template) -> None:
    policy = policy_of(shared, CONTAINER)
    for action in ("PutItem", "GetItem", "Query"):
        assert not allows(policy, on_log(shared, action, pointer_key(ID).partition))
        assert not allows(policy, on_log(shared, action, schedule_partition("nightly")))
        assert not allows(policy, on_model(shared, action, log_partition("billing", ID)))


def test_a_caller_of_one_service_kicks_off_follows_and_reads_its_jobs(shared: Template) -> None:
    policy = policy_of(shared, CALLER)
    own, pointer = log_partition("billing", ID), pointer_key(ID).partition
    # a transaction is authorized as its puts, whether IAM is shown the keys of each or of all
    for keys in ((own,), (pointer,), (own, pointer)):
        assert allows(policy, on_log(shared, "PutItem", *keys))
    assert allows(policy, on_log(shared, "GetItem", pointer))
    assert allows(policy, on_log(shared, "Query", job_partition("billing", ID, 999)))
    for action in ("GetItem", "Query"):
        assert allows(policy, on_model(shared, action, own))
    assert not allows(policy, on_model(shared, "PutItem", own))
    assert not allows(policy, on_log(shared, "PutItem", schedule_partition("nightly")))


def test_callers_of_the_whole_environment_reach_every_service(shared: Template) -> None:
    everything, of_services = policy_of(shared, "CallersPolicy"), policy_of(shared, "CallersPolicyOf")
    policy = [statement for statement in everything if statement not in of_services]
    for service in ("billing", "reports", "bill"):
        assert allows(policy, on_log(shared, "PutItem", log_partition(service, ID)))
        assert allows(policy, on_payload(shared, "GetObject", service))


def test_a_kick_off_of_another_service_forged_in_a_partition_of_the_own_starts_nothing() -> None:
    forged = OrchestrationStarted(
        orchestration_id=ID,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        job_name="report",
        service="reports",
        total=1,
        parallelism=1,
        params_digest="0" * 64,
    )
    item = to_item(EventKey(log_partition("billing", ID), forged.sort_key), forged, timedelta(days=1))
    record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": item}}
    started: list[object] = []
    given_up: list[UnreadableRecord] = []
    answer = handle_records([record], lambda *arguments: started.append(arguments), given_up.append)
    assert (started, answer) == ([], {"batchItemFailures": []})
    assert [unreadable.sequence_number for unreadable in given_up] == ["7"]


def test_a_put_without_a_condition_is_allowed_within_a_service_and_seen_in_the_stream(
    shared: Template, caplog: pytest.LogCaptureFixture
) -> None:
    key = {"pk": {"S": job_partition("billing", ID, 0)}, "sk": {"S": "block#00000000-00000009#000000"}}
    assert allows(policy_of(shared, CONTAINER), on_log(shared, "PutItem", key["pk"]["S"]))
    forged: dict[str, Any] = {"Keys": key, "NewImage": key, "SequenceNumber": "7"}
    with caplog.at_level(logging.ERROR):
        assert report_changes([{"eventName": "MODIFY", "dynamodb": forged}]) == 1
    assert f"was replaced: {key['pk']['S']} / {key['sk']['S']}" in caplog.text
