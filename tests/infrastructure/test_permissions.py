"""Who may do what: the policies of the template against the calls that are made, with IAM enforced.

The emulator checks functions, users and, given sessions of their roles, containers and the progress API. What it
does on behalf of Step Functions, ECS, Lambda and EventBridge themselves it checks against no policy; these calls
are in EXPLAINED, with what makes each.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from background_jobs import Orchestration, OrchestrationService, OrchestrationStatus, Stage
from background_jobs.aws import clients
from background_jobs.aws.history import HistoryFilter
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.doctor import examine
from background_jobs.control_plane.rebuild import rebuild
from background_jobs.core.doctor.findings import Level
from background_jobs.core.events import job_partition
from background_jobs.core.schedules.definition import Due, ScheduleDefinition
from background_jobs.local_stack import LocalStack
from background_jobs.settings import Settings
from tests.checkout import REPOSITORY
from tests.infrastructure.auth_server import CALLS, ROLES, USERS
from tests.infrastructure.granted import GRANTED, deployed_values, granted_statements, resolve
from tests.infrastructure.jobs import refusals
from tests.infrastructure.policies import Request, allows, listed
from tests.offline import until

JOBS: Final = Path(__file__).with_name("jobs.py")
PATIENCE: Final = 120

EXPLAINED: Final = {
    ("*", "logs:CreateLogStream"): "Lambda and ECS write the log of what they run",
    ("*", "logs:PutLogEvents"): "the same",
    ("*", "xray:PutTraceSegments"): "Lambda and Step Functions hand in traces",
    ("*", "xray:PutTelemetryRecords"): "the same",
    ("Functions*", "dynamodb:DescribeStream"): "Lambda reads the stream for the function",
    ("Functions*", "dynamodb:GetRecords"): "the same",
    ("Functions*", "dynamodb:GetShardIterator"): "the same",
    ("Functions*", "dynamodb:ListStreams"): "the same",
    (
        "Functions*",
        "sqs:SendMessage",
    ): "Lambda hands over what the function gave up, and it what it cannot read",
    ("Functions*", "sqs:GetQueueAttributes"): "CDK grants it to whoever sends",
    ("Functions*", "sqs:GetQueueUrl"): "the same",
    ("FunctionsAggregateJobsRole", "dynamodb:GetItem"): "of the log, only when two complete an orchestration",
    (
        "Services*TaskRole",
        "dynamodb:GetItem",
    ): "it looks for a cancellation every 2 s; a short container has ended before",
    (
        "Services*TaskRole",
        "ecs:*TaskProtection",
    ): "a warm worker asks the agent of ECS, which the emulator has not, once a share takes some seconds",
    ("Services*TaskRole", "states:SendTaskFailure"): "only where a share is refused, or not done",
    ("Services*TaskRole", "sqs:ChangeMessageVisibility"): "only where a share takes some ten seconds",
    ("Operator", "lambda:InvokeFunction"): "to redrive, only where functions did not take something",
    ("Operator", "events:ListTargetsByRule"): "the same, for events of rules",
    ("Operator", "sqs:*"): "the same",
    ("Operator", "dynamodb:GetRecords"): "the same, for records of the stream",
    ("Operator", "dynamodb:GetShardIterator"): "the same",
    ("Operator", "cloudwatch:DescribeAlarms"): "to examine alarms, which the offline stack has not",
    ("Operator", "sns:ListSubscriptionsByTopic"): "the same, for who hears of them",
    ("Operator", "ecr:BatchGetImage"): "the same, for images",
    ("Operator", "servicequotas:*"): "the same, for quotas",
    ("Operator", "lambda:GetAccountSettings"): "the same",
    ("Operator", "dynamodb:PutItem"): "into the log, only when a completion is due",
    ("FunctionsEndOrchestrationRole", "ecs:DescribeTasks"): "only where tasks outlive their execution",
    ("FunctionsEndOrchestrationRole", "ecs:StopTask"): "the same; offline, StopExecution stops them all",
    ("*", "logs:GetLogEvents"): "offline, the logs of containers are files",
    ("*", "logs:FilterLogEvents"): "the same",
    (
        "FunctionsCloseUnfinishedRole",
        "ecs:DescribeTaskDefinition",
    ): "to find the log of a container that was lost, which a file offline names itself",
    ("FunctionsNoteDelayRole", "ecs:DescribeTaskDefinition"): "the same",
    ("*", "s3:AbortMultipartUpload"): "only when an upload in parts fails",
    (
        "FunctionsProgressApiRole",
        "dynamodb:Query */index/by-service",
    ): "only for tokens of a user pool that allow single services",
    ("FunctionsKickOffJobRole", "dynamodb:GetItem"): "of the read model, only after a rerun in a pipeline",
    ("FunctionsNoteStallsRole", "dynamodb:*"): "it does more than list only where something stands still",
    ("KickOffsSchedulesRole", "*"): "Scheduler itself invokes the function, and hands over what it could not",
    ("*", "s3:ListBucket"): "without it, S3 denies access to an object that has expired, and says no more",
    ("*", "iam:PassRole"): "Scheduler checks it when a schedule is made or changed",
    ("Caller", "execute-api:Invoke"): "API Gateway checks it; offline, the API is served beside the emulator",
    (
        "ControlPlaneFanOutStateMachineRole",
        "*",
    ): "Step Functions itself runs, watches and stops what it started",
}
"""Permissions that no test sees used, each with the reason why it is needed.

They are by principal and action, and by resource where others of the same action are used.
"""


FREE: Final = "sts:GetCallerIdentity"
"""What everybody may, whatever their policies say."""


class AuthStack(LocalStack):
    """The offline stack with IAM enforced."""

    server: ClassVar[str] = "tests.infrastructure.auth_server"


class Call(NamedTuple):
    """One call that was checked; the principal is a role by its place in the stack, or a user."""

    principal: str
    action: str
    resource: str
    context: str
    """The condition keys that it brings, as JSON."""

    @property
    def request(self) -> Request:
        return Request(self.action, self.resource, json.loads(self.context))


class Permission(NamedTuple):
    """One action that a principal is allowed on one resource, under conditions."""

    principal: str
    action: str
    resource: str
    conditions: str

    def covers(self, call: Call) -> bool:
        statement = {
            "Effect": "Allow",
            "Action": self.action,
            "Resource": self.resource,
            "Condition": json.loads(self.conditions),
        }
        return self.principal == call.principal and allows([statement], call.request)


class Life:
    """One stack in which everything is done that callers, containers, functions and operators do."""

    def __init__(self, stack: LocalStack, environment: pytest.MonkeyPatch, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self._environment = environment
        self._users = json.loads((stack.folder / USERS).read_text())
        for name in stack.unwanted_variables:
            environment.delenv(name)
        for name, value in stack.variables.items():
            environment.setenv(name, value)

    def admit(self, statements: Mapping[str, list[Any]]) -> None:
        """Make a user for each of *statements*, who may do what these allow and nothing else."""
        self.become(None)
        roles = self._roles()
        values = deployed_values("background-jobs-local")
        iam = boto3.Session().client("iam")
        for name, unresolved in statements.items():
            allowed = resolve(unresolved, values)
            document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="Granted", PolicyDocument=document)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            secret = {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            }
            self._users[name], roles["policies"][name] = secret, allowed
        (self.stack.folder / ROLES).write_text(json.dumps(roles))

    def become(self, user: str | None) -> OrchestrationService:
        """Go on as a user, or as root, with the SDK's own watching of the read model."""
        root = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in (self._users[user] if user else root).items():
            self._environment.setenv(name, value)
        clients.forget_clients()
        return OrchestrationService(self.settings)

    @property
    def settings(self) -> Settings:
        return self.stack.settings.model_copy(update={"api_url": "", "job_names": ()})

    def calls(self) -> tuple[set[Call], set[Call]]:
        """Return the calls that were allowed, and those that were denied."""
        names = {role: title for title, role in self._roles()["names"].items()}
        found: tuple[set[Call], set[Call]] = (set(), set())
        for line in (self.stack.folder / CALLS).read_text().splitlines():
            checked = json.loads(line)
            who = checked["principal"].split("/")[1] if "/" in checked["principal"] else "root"
            context = json.dumps(checked["context"], sort_keys=True)
            call = Call(names.get(who, who), checked["action"], checked["resource"], context)
            if who != "root":
                found[checked["denied"]].add(call)
        return found

    def allowed(self) -> set[Permission]:
        """Return what the deployed policies allow, each action and resource by itself."""
        return {
            Permission(principal, action, resource, json.dumps(statement.get("Condition", {})))
            for principal, statements in self._roles()["policies"].items()
            for statement in statements
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }

    def _roles(self) -> dict[str, Any]:
        roles: dict[str, Any] = json.loads((self.stack.folder / ROLES).read_text())
        return roles


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with ExitStack() as opened:
        environment = opened.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("PYTHONPATH", str(REPOSITORY))  # where its server is
        stack = opened.enter_context(AuthStack(str(JOBS), containers=3, warm=1))
        environment.delenv("AWS_PROFILE", raising=False)
        life = Life(stack, environment, tmp_path_factory.mktemp("life"))
        life.admit(granted_statements(tmp_path_factory.mktemp("granted")))
        broken = life.become("Caller").kick_off_job("broken", [{"n": 1}])
        called(life)
        called_by_service(life)
        called_by_functions_of_a_team(life)
        served(life)
        chained(life)
        scheduled(life)
        taken_by_warm_workers(life)
        cancelled(life)
        operated(life)
        (failure,) = life.become("Caller").get_job_results(broken.id, timeout=PATIENCE).failures or []
        assert failure.error.type == "ContainerLost"
        yield life


def called(life: Life) -> None:
    """Do what callers do, with instances that fail and with large params and results."""
    service = life.become("Caller")
    mixed = service.kick_off_job("double", [{"n": n} for n in range(-1, 20)], tags={"customer": "acme"})
    large = service.kick_off_job(
        "double", ({"n": n, "text": "x" * 900_000} for n in range(-1, 11)), parallelism=2
    )
    text = service.kick_off_job("long_text", [{}])
    list(mixed.watch(timeout=PATIENCE))
    for orchestration, errored in ((mixed, 1), (large, 1), (text, 0)):
        failures = service.get_job_results(orchestration.id, timeout=PATIENCE).failures
        assert len(failures or []) == errored
    until(lambda: mixed.summary().done)
    find_in_history(life, mixed)


def find_in_history(life: Life, mixed: Orchestration) -> None:
    """Find an orchestration of `double` for the customer acme, with a failure, by each filter."""
    history = Stores.of(life.settings).history
    now = datetime.now(UTC)
    services = frozenset({mixed.summary().service})
    for history_filter in (
        HistoryFilter(until=now),
        HistoryFilter(until=now, customer="acme"),
        HistoryFilter(until=now, services=services),
    ):
        assert mixed.id in [
            summary.orchestration_id for summary in history.page(history_filter, limit=9).summaries
        ]
    assert history.page(HistoryFilter(until=now, job_name="double"), limit=9).summaries
    combined: list[dict[str, Any]] = [{}, {"job_name": "double"}, {"customer": "acme"}]
    for also in combined:
        page = history.page(HistoryFilter(until=now, status=OrchestrationStatus.ERRORED, **also), limit=9)
        assert mixed.id in [summary.orchestration_id for summary in page.summaries]


def called_by_service(life: Life) -> None:
    """Do what callers of one service do, with failures, large params and results, a rerun and a cancellation."""
    service = life.become("ServiceCaller")
    large = ({"n": n, "text": "x" * 900_000} for n in range(-1, 11))
    mixed = service.kick_off_job("double", large, parallelism=2, tags={"customer": "acme"})
    text = service.kick_off_job("long_text", [{}])
    list(mixed.watch(timeout=PATIENCE))
    failures = service.get_job_results(mixed.id, timeout=PATIENCE).failures
    assert failures is not None
    failures.rerun().results(PATIENCE)
    assert text.results(PATIENCE).failures is None
    text.cancel("too late")


def called_by_functions_of_a_team(life: Life) -> None:
    """Kick off, and repeat that, as one function is granted to; follow and read as another is."""
    large = [{"n": n, "text": "x" * 900_000} for n in range(-1, 11)]
    for starter, follower in (("Starter", "Follower"), ("ServiceStarter", "ServiceFollower")):
        service = life.become(starter)
        kicked_off = service.kick_off_job(
            "double", large, key=starter, parallelism=2, tags={"customer": "acme"}
        )
        repeated = service.kick_off_job(
            "double", large, key=starter, parallelism=2, tags={"customer": "acme"}
        )
        assert repeated.id == kicked_off.id
        text = service.kick_off_job("long_text", [{}])
        service = life.become(follower)
        list(service.orchestration(kicked_off.id).watch(timeout=PATIENCE))
        # As watching does while something changes; by now, all may have been done before it began.
        assert list(Stores.of(life.settings).read_model.read_feed(kicked_off.id, after=0))
        failures = service.get_job_results(kicked_off.id, timeout=PATIENCE).failures
        assert len(failures or []) == 1
        service.get_job_results(text.id, timeout=PATIENCE)
        if follower == "Follower":
            find_in_history(life, service.orchestration(kicked_off.id))


def served(life: Life) -> None:
    """Use the progress API, which acts under its own role."""
    assert "double" in [job.name for job in life.become("Caller").jobs() if job.is_described]
    with httpx.Client(base_url=life.stack.settings.api_url, timeout=60) as api:
        assert api.get("/jobs/double").json()["is_described"]
        params = [{"n": n} for n in range(-1, 3)]
        request = {"job_name": "double", "params": params, "tags": {"customer": "emca"}}
        answer = api.post("/orchestrations", json=request)
        assert answer.status_code == 201, answer.text
        path = f"/orchestrations/{answer.json()['orchestration_id']}"
        assert "event: completed" in api.get(f"{path}/events").text
        for what in ("", "/instances", "/instances/0", "/results", "/failures", "/causes"):
            assert api.get(path + what).status_code == 200, what
        assert len(api.get("/orchestrations", params={"customer": "emca"}).json()["items"]) == 1
        assert api.get("/orchestrations", params={"job_name": "double"}).json()["items"]
        assert api.get("/orchestrations").status_code == 200
        for also in ({}, {"job_name": "double"}, {"customer": "emca"}):
            assert api.get("/orchestrations", params={"status": "Errored", **also}).is_success
        long = api.post("/orchestrations", json={"job_name": "long_text", "params": [{}]}).json()
        api.get(f"/orchestrations/{long['orchestration_id']}/events")
        assert api.get(f"/orchestrations/{long['orchestration_id']}/results").status_code == 200
        assert api.post(f"{path}/rerun", json={"only": "failed"}).status_code == 201


def chained(life: Life) -> None:
    """Run stages one after the other, and have delayed launches and standstills recorded."""
    service = life.become("Caller")
    first = service.kick_off_job("double", [{"n": 1}], then=Stage("double", params={"n": "$index"}))
    first.pipeline().wait(PATIENCE)
    life.become(None)
    functions = boto3.Session().client("lambda")
    names = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    refused = {"Error": "ECS.ServerException", "Cause": "Rate exceeded"}
    report = {"orchestration_id": first.id, "share": "0", "error": refused}
    for title, event in (("NoteDelay", report), ("NoteStalls", {})):
        (name,) = [name for name in names if title in name]
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()


def scheduled(life: Life) -> None:
    """Make, run, change and delete schedules, as callers and over the API; one keeps its params apart."""
    service = life.become("Caller")
    params = [{"n": 1, "text": "x" * 30_000}]
    service.schedule_job("by-caller", "double", params, cron="0 3 * * *", overlap="allow")
    with httpx.Client(base_url=life.stack.settings.api_url, timeout=60) as api:
        body = {"job_name": "double", "params": params, "cron": "0 3 * * *", "overlap": "allow"}
        assert api.put("/schedules/by-api", json=body).is_success
        assert len(service.schedules()) == 2
        assert len(api.get("/schedules").json()["items"]) == 2
        for what in ("pause", "resume", "run-now"):
            assert api.post(f"/schedules/by-api/{what}", json={}).is_success, what
        assert api.get("/schedules/by-api/runs").is_success
        assert api.delete("/schedules/by-api").is_success
    schedule = service.schedule("by-caller")
    schedule.pause()
    schedule.resume()
    schedule.run_now()
    _run_when_due(life, schedule.definition)
    assert len(schedule.runs()) >= 1
    schedule.delete()


def _run_when_due(life: Life, definition: ScheduleDefinition) -> None:
    """Invoke the function as Scheduler does, for an occurrence long ago, and one that happens once."""
    life.become(None)
    functions = boto3.Session().client("lambda")
    once = definition.model_copy(
        update={
            "timing": definition.timing.model_copy(
                update={"cron": None, "at": datetime(2026, 1, 1, tzinfo=UTC)}
            )
        }
    )
    for day, due in enumerate((definition, once), start=1):
        event = Due(definition=due, scheduled_at=datetime(2026, 1, day, tzinfo=UTC)).model_dump_json()
        answer = functions.invoke(FunctionName=life.settings.schedule_function, Payload=event)
        assert "FunctionError" not in answer, answer["Payload"].read()
    life.become("Caller")


def cancelled(life: Life) -> None:
    """Cancel what runs."""
    running = life.folder / "running"
    orchestration = life.become("Caller").kick_off_job("wait_for_the_end", [{"running": str(running)}])
    until(running.exists)
    orchestration.cancel("enough")
    until(lambda: any(call.action == "states:StopExecution" for call in life.calls()[0]))
    until(lambda: orchestration.summary().done, PATIENCE)


def taken_by_warm_workers(life: Life) -> None:
    """Have a warm worker work on a share for some seconds, once it is idle."""
    service = life.become("Caller")

    def is_taken() -> bool:
        orchestration = service.kick_off_job("wait", [{"seconds": 4}])
        assert orchestration.results(PATIENCE).failures is None
        return any(launch.warm for launch in orchestration.launches())

    until(is_taken, PATIENCE)


def operated(life: Life) -> None:
    """Examine the environment, and rebuild a read model that somebody has tampered with."""
    service = life.become("Caller")
    orchestration = service.kick_off_job("double", [{"n": 1}])
    until(lambda: orchestration.summary().done)
    life.become(None)
    boto3.Session().client("dynamodb").delete_item(
        TableName=life.settings.read_model_table,
        Key={
            "pk": {"S": f"default#{orchestration.id}#statuses#00000"},
            "sk": {"S": "chunk"},
        },
    )
    described = service.jobs()
    life.become("Operator").publish_jobs(described)
    settings = life.settings.model_copy(update={"api_url": life.stack.settings.api_url})
    left = [finding for finding in examine(settings) if finding.level not in {Level.OK, Level.NOT_HERE}]
    assert left == []
    assert rebuild(orchestration.id, Stores.of(life.settings), datetime.now(UTC)).read_model == [
        "statuses of instances from 0 on"
    ]


def asks_which_jobs_there_are(call: Call) -> bool:
    """Tell whether a kick-off may have made it: offline jobs come and go, and on AWS settings name them."""
    return call.action == "s3:GetObject" and "/jobs/" in call.resource


def test_nothing_that_was_done_needed_more_than_is_allowed(life: Life) -> None:
    made, denied = life.calls()
    assert [call for call in denied if not asks_which_jobs_there_are(call)] == []
    made = {call for call in made if call.action != FREE}
    allowed = life.allowed()
    beyond = {call for call in made - denied if not any(permission.covers(call) for permission in allowed)}
    assert beyond == set()
    assert {call.principal for call in made} >= {
        "Caller",
        "ServiceCaller",
        "Operator",
        *GRANTED,
        "ServicesdefaultTaskRole",
        "FunctionsStartOrchestrationRole",
        "FunctionsAggregateJobsRole",
        "FunctionsCloseUnfinishedRole",
        "FunctionsEndOrchestrationRole",
        "FunctionsProgressApiRole",
        "FunctionsKickOffJobRole",
        "FunctionsNoteDelayRole",
        "FunctionsNoteStallsRole",
    }


def test_everything_that_is_allowed_is_done_or_explained(life: Life) -> None:
    made, _ = life.calls()
    unseen = {
        permission for permission in life.allowed() if not any(permission.covers(call) for call in made)
    }
    left = {permission for permission in unseen if not any(_explains(who, permission) for who in EXPLAINED)}
    assert "\n".join(" ".join(permission) for permission in sorted(left)) == ""


def test_every_explanation_is_of_something(life: Life) -> None:
    allowed = life.allowed()
    assert [who for who in EXPLAINED if not any(_explains(who, permission) for permission in allowed)] == []


def _explains(who: tuple[str, str], permission: Permission) -> bool:
    actions = (permission.action, f"{permission.action} {permission.resource}")
    return fnmatchcase(permission.principal, who[0]) and any(
        fnmatchcase(action, who[1]) for action in actions
    )


def test_a_container_can_neither_change_an_event_nor_reach_another_service(life: Life) -> None:
    service = life.become("Caller")
    orchestration = service.kick_off_job("double", [{"n": 1}])
    tampering = service.kick_off_job("tamper", [{"orchestration_id": orchestration.id}])
    (success,) = tampering.results(PATIENCE).successes
    assert {
        trial: refusal for trial, refusal in success.result.items() if not refusal.startswith("AccessDenied")
    } == {}
    assert len(success.result) == 15


def test_a_caller_of_one_service_reaches_no_other(life: Life) -> None:
    orchestration = life.become("ServiceCaller").kick_off_job("double", [{"n": 1}])
    trials = refusals(orchestration.id)
    assert {
        trial: refusal for trial, refusal in trials.items() if not refusal.startswith("AccessDenied")
    } == {}


def test_an_item_that_a_container_replaces_is_seen(life: Life) -> None:
    service = life.become("Caller")
    orchestration = service.kick_off_job("double", [{"n": 1}])
    assert orchestration.results(PATIENCE).failures is None
    place = {"pk": job_partition("default", orchestration.id, 0), "sk": "block#00000000-00000000#000000"}
    service.kick_off_job("replace", [place]).results(PATIENCE)
    life.become(None)
    logs = boto3.Session().client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    (group,) = [name for name in groups if "AggregateJobsLog" in name]
    told = f"was replaced: {place['pk']} / {place['sk']}"
    until(
        lambda: any(told in line["message"] for line in logs.filter_log_events(logGroupName=group)["events"])
    )


def test_a_caller_cannot_change_the_log_or_start_executions(life: Life) -> None:
    life.become("Caller")
    session = boto3.Session()
    dynamodb, states = session.client("dynamodb"), session.client("stepfunctions")
    key = {"pk": {"S": "x"}, "sk": {"S": "y"}}
    for refused in (
        lambda: dynamodb.delete_item(TableName=life.settings.event_log_table, Key=key),
        lambda: dynamodb.put_item(TableName=life.settings.read_model_table, Item=key),
        states.list_state_machines,
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
