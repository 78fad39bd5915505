"""A deployed environment in memory, in which all is well, to be broken in one place."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, Final
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from moto.moto_api._internal.models import moto_api_backend

from background_jobs.aws import clients
from background_jobs.aws.task_definitions import CAPACITY_PROVIDER
from background_jobs.core.containers.warm import WARM_QUEUE
from tests.memory import SETTINGS, aws_in_memory, create_all

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
QUEUE: Final = SETTINGS.schedule_failures.rsplit(":", 1)[-1]
FAMILY: Final = f"background-jobs-test-{SETTINGS.service}"
IMAGE: Final = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/jobs"
Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "any")


class ExaminedAws:
    """What stands for AWS: moto, and for calls that moto does not know, answers in AWS's shapes."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self.make()

    def make(self) -> None:
        """Make everything anew, of moto what it knows, and answers for the rest; clients stay as they are.

        To make the clients of so many services takes a second and more.
        """
        moto_api_backend.reset()
        create_all()
        self.api_status: int | None = 200
        """None for a server that speaks no HTTP."""
        self.calls: set[tuple[str, str]] = set()
        """The calls that were made, by the name that IAM has for the service, and by operation."""
        self._answers: dict[tuple[str, str], Answer | ClientError] = {}
        self.settings = SETTINGS.model_copy(update={"api_url": self._api_url, "service_names": ("default",)})
        self.alarms = [f"background-jobs-test-{name}" for name in ("RecordsGivenUp", "StartsBehind")]
        self.outputs = self.settings.to_outputs() | {"Version": "0.1.0", "ClusterName": "cluster"}
        self.stack_status = "UPDATE_COMPLETE"
        self.quotas = {"L-3032A538": 500.0, "L-36FBB829": 500.0}
        self.concurrency, self.unreserved = 1_000, 900
        self.denied_actions: tuple[str, ...] = ()
        self.function, self.mapping = self._make_functions()
        self.topic = self._make_alarms()
        self.queue_url = clients.client_without_types("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
        self.machine = self._make_state_machine()
        self.define("ARM64")
        self.push("arm64")
        self.answer("sts", "GetCallerIdentity", self._identity)
        self.answer("cloudformation", "DescribeStacks", self._stack)
        self.answer("cloudformation", "ListStackResources", self._resources)
        self.answer("servicequotas", "GetServiceQuota", self._quota)
        self.answer("lambda", "GetAccountSettings", self._account)
        self.answer("iam", "SimulatePrincipalPolicy", self._simulate)

    def answer(self, service: str, operation: str, answer: Answer | ClientError) -> None:
        """Have a call answered so, or refused; *service* is the name that IAM has for it."""
        self._answers[service, operation] = answer

    def define(
        self, architecture: str, image: str = f"{IMAGE}:7", on: str = "", *, warm: bool = False
    ) -> None:
        """Register a task definition of the service."""
        log = {"awslogs-group": "jobs", "awslogs-region": REGION, "awslogs-stream-prefix": "x"}
        clients.client_without_types("ecs").register_task_definition(
            family=FAMILY,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="512",
            memory="4096",
            runtimePlatform={"cpuArchitecture": architecture},
            containerDefinitions=[
                {
                    "name": "job",
                    "image": image,
                    "environment": [
                        *([{"name": CAPACITY_PROVIDER, "value": on}] if on else []),
                        *([{"name": WARM_QUEUE, "value": "https://sqs/queue"}] if warm else []),
                    ],
                    "logConfiguration": {"logDriver": "awslogs", "options": log},
                }
            ],
        )
        logs = clients.client_without_types("logs")
        if not logs.describe_log_groups(logGroupNamePrefix="jobs")["logGroups"]:
            logs.create_log_group(logGroupName="jobs")

    def push(self, architecture: str) -> None:
        """Answer that the image is an index with an image for *architecture*, and an attestation."""
        platforms = [
            {"architecture": architecture, "os": "linux"},
            {"architecture": "unknown", "os": "unknown"},
        ]
        index = {"schemaVersion": 2, "manifests": [{"platform": platform} for platform in platforms]}
        self.answer("ecr", "BatchGetImage", {"images": [{"imageManifest": json.dumps(index)}]})

    def _make_functions(self) -> tuple[str, str]:
        role = clients.client_without_types("iam").create_role(
            RoleName="function", AssumeRolePolicyDocument="{}"
        )["Role"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("handler.py", "")
        functions, dynamodb = clients.client_without_types("lambda"), clients.client_without_types("dynamodb")
        functions.create_function(
            FunctionName="background-jobs-test-aggregate",
            Runtime="python3.14",
            Role=role["Arn"],
            Handler="handler.handler",
            Code={"ZipFile": archive.getvalue()},
        )
        dynamodb.update_table(
            TableName=SETTINGS.event_log_table,
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        table = dynamodb.describe_table(TableName=SETTINGS.event_log_table)["Table"]
        mapping = functions.create_event_source_mapping(
            FunctionName="background-jobs-test-aggregate",
            EventSourceArn=table["LatestStreamArn"],
            StartingPosition="TRIM_HORIZON",
        )
        return "background-jobs-test-aggregate", mapping["UUID"]

    def _make_alarms(self) -> str:
        sns, cloudwatch = clients.client_without_types("sns"), clients.client_without_types("cloudwatch")
        topic = str(sns.create_topic(Name="background-jobs-test-alarms")["TopicArn"])
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
        for name in self.alarms:
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                AlarmActions=[topic],
                AlarmDescription=f"See docs/runbook.md about {name}",
                MetricName="m",
                Namespace="n",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                Statistic="Sum",
                ComparisonOperator="GreaterThanThreshold",
            )
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="test")
        return topic

    def _make_state_machine(self) -> str:
        definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
        machine = clients.client_without_types("stepfunctions").create_state_machine(
            name="fan-out", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{ACCOUNT}:role/states"
        )
        return str(machine["stateMachineArn"])

    def _identity(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/caller", "UserId": "AIDA"}

    def _stack(self, _: dict[str, Any]) -> dict[str, Any]:
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        stack = {
            "StackName": "background-jobs-test",
            "StackStatus": self.stack_status,
            "CreationTime": "2026-11-26T00:00:00Z",
            "Outputs": outputs,
        }
        return {"Stacks": [stack]}

    def _resources(self, _: dict[str, Any]) -> dict[str, Any]:
        found = [
            ("AWS::Lambda::Function", self.function),
            ("AWS::Lambda::EventSourceMapping", self.mapping),
            ("AWS::StepFunctions::StateMachine", self.machine),
            *(("AWS::CloudWatch::Alarm", name) for name in self.alarms),
        ]
        summaries = [
            {
                "ResourceType": kind,
                "PhysicalResourceId": name,
                "LogicalResourceId": name,
                "LastUpdatedTimestamp": "2026-11-26T00:00:00Z",
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for kind, name in found
        ]
        return {"StackResourceSummaries": summaries}

    def _quota(self, call: dict[str, Any]) -> dict[str, Any]:
        return {"Quota": {"Value": self.quotas[call["QuotaCode"]]}}

    def _account(self, _: dict[str, Any]) -> dict[str, Any]:
        limits = {
            "ConcurrentExecutions": self.concurrency,
            "UnreservedConcurrentExecutions": self.unreserved,
        }
        return {"AccountLimit": limits}

    def _simulate(self, call: dict[str, Any]) -> dict[str, Any]:
        decisions = {True: "implicitDeny", False: "allowed"}
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": decisions[action in self.denied_actions]}
                for action in call["ActionNames"]
            ]
        }

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer calls as the test says, and all others as moto does."""
        make_call = BaseClient._make_api_call  # type: ignore[attr-defined] # not in its stubs

        def call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            signing_name = client.meta.service_model.signing_name
            service = {"monitoring": "cloudwatch"}.get(signing_name, signing_name)
            self.calls.add((service, operation))
            answer = self._answers.get((service, operation))
            if answer is None:
                return make_call(client, operation, parameters)
            if isinstance(answer, ClientError):
                kind: Any = client.exceptions.from_code(answer.response["Error"]["Code"])
                raise kind(answer.response, operation)
            answered = answer(parameters) if callable(answer) else answer
            shape = client.meta.service_model.operation_model(operation).output_shape
            assert shape is not None
            validate_parameters(answered, shape)
            return answered

        with patch.object(BaseClient, "_make_api_call", call):
            yield


@contextmanager
def examined_aws() -> Iterator[ExaminedAws]:
    """Put an environment in which all is well in the place of AWS, and its progress API on this machine."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if aws.api_status is None:
                self.wfile.write(b"no HTTP\r\n")
                return
            self.send_response(aws.api_status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Api) as server, aws_in_memory():
        aws = ExaminedAws(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            with aws.answering():
                yield aws
        finally:
            server.shutdown()
            thread.join()
