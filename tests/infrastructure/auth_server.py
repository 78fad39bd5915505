"""The offline stack's server with IAM enforced, and a record of every call that it checked.

Functions have the sessions of their own roles from the emulator; containers and the progress API get those of
theirs here, and there is a user for each of the policies. In the server's folder, ``users.json`` has their
credentials, ``roles.json`` the policies that are attached, and ``calls.jsonl`` a line for each check.
"""

import json
import os
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3

from background_jobs.core.schedules.definition import schedule_group
from background_jobs.core.tables import PARTITION_KEY
from background_jobs.local_stack import server
from background_jobs.local_stack.function_processes import FunctionProcesses
from background_jobs.local_stack.process_runner import ProcessRunner
from background_jobs.local_stack.server_messages import take_over
from background_jobs.local_stack.substitutions import substitute
from background_jobs.local_stack.variables import client_variables
from tests.infrastructure.policies import LEADING_KEYS

USERS, ROLES, CALLS = "users.json", "roles.json", "calls.jsonl"
_STACK = "background-jobs-local"
_GROUP = schedule_group("local")
CALLERS = {
    "Caller": "CallerPolicy",
    "ServiceCaller": "CallerPolicyOfDefault",
    "Operator": "OperatorPolicy",
}
"""The users, and the output that has the policy of each."""


class Authority:
    """Gives everybody who calls the emulator an identity with the policies of the template."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._runner: ProcessRunner | None = None

    def begin(self, runner: ProcessRunner, functions: FunctionProcesses | None) -> None:
        """Record every check, from now on."""
        from ministack import app
        from ministack.core import iam_actions, iam_evaluator

        substitute(runner, functions)
        # The bucket refuses what comes without TLS, which the emulator does not speak.
        # The emulator does not know the condition key that the policies of a service are made of.
        context = iam_actions.dynamodb_service_context
        iam_actions.dynamodb_service_context = lambda body: {**context(body), **leading_keys(body)}
        pin = app.pin_request_origin
        app.pin_request_origin = lambda address, _secure: pin(address, True)  # noqa: FBT003 -- its own argument
        self._runner = runner
        iam_evaluator.enforce = self._recording(iam_evaluator.enforce, iam_evaluator.resolve_principal)

    def _recording(self, enforce: Callable[..., Any], principal_of: Callable[..., Any]) -> Callable[..., Any]:
        def check(
            key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any
        ) -> Any:
            if action == "ecs:ListTasks":
                # AWS knows the cluster as a condition key, the emulator as the resource only.
                more["service_context"] = {**(more.get("service_context") or {}), "ecs:cluster": resource_arn}
            if action in {"ecs:DescribeServices", "ecs:DescribeTasks"}:
                # AWS checks each that is described, the emulator their cluster.
                kind = "service" if action == "ecs:DescribeServices" else "task"
                resource_arn = f"{resource_arn.replace(':cluster/', f':{kind}/')}/any"
            if action.startswith("scheduler:"):
                # The emulator takes every schedule to be in the default group.
                resource_arn = resource_arn.replace(":schedule/default/", f":schedule/{_GROUP}/")
            if action == "events:DescribeEventBus":
                # The emulator takes the name of a bus for that of a rule.
                resource_arn = resource_arn.replace(":rule/default/", ":event-bus/")
            if action == "lambda:ListEventSourceMappings" and resource_arn != "*":
                # The emulator takes the question about one mapping for that about all.
                action = "lambda:GetEventSourceMapping"
            denied = enforce(key, action, service, region, resource_arn=resource_arn, **more)
            arn = getattr(principal_of(key or "", server.ACCOUNT), "arn", "unknown")
            line = {
                "principal": arn,
                "action": action,
                "resource": resource_arn,
                "context": {
                    name: value if isinstance(value, list) else [value]
                    for name, value in (more.get("service_context") or {}).items()
                    if value is not None
                },
                "denied": denied is not None,
            }
            with self._lock, (self._folder / CALLS).open("a") as record:
                record.write(json.dumps(line) + "\n")
            return denied

        return check

    def admit(self) -> dict[str, str]:
        """Make the identities of the deployed stack; return the credentials of the progress API."""
        iam, cloudformation = boto3.client("iam"), boto3.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        users = {}
        for name, policy in CALLERS.items():
            iam.create_user(UserName=name)
            iam.attach_user_policy(UserName=name, PolicyArn=outputs[policy])
            key = iam.create_access_key(UserName=name)["AccessKey"]
            users[name] = {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            }
        (self._folder / USERS).write_text(json.dumps(users))
        resources = cloudformation.describe_stack_resources(StackName=_STACK)["StackResources"]
        roles = {
            resource["LogicalResourceId"][:-8]: resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::IAM::Role"
        }
        policies = {title: _statements_of_role(iam, role) for title, role in roles.items()}
        for name, policy in CALLERS.items():
            policies[name] = _statements_of_policy(iam, outputs[policy])
        (self._folder / ROLES).write_text(json.dumps({"names": roles, "policies": policies}))
        assert self._runner is not None
        self._runner.containers._shared.update(_session(roles["ServicesdefaultTaskRole"]))
        # Warm workers that were started before, without a role, are replaced.
        self._runner.stop_all()
        return _session(roles["FunctionsProgressApiRole"])


def leading_keys(body: bytes) -> dict[str, list[str]]:
    """Return the partition keys that a request to DynamoDB names, as AWS's condition key; none for a Scan."""
    request = json.loads(body or b"{}")
    keys = list(_partitions_in(request))
    return {LEADING_KEYS: keys} if keys else {}


def _partitions_in(request: dict[str, Any]) -> Iterator[str]:
    single = request.get("Item") or request.get("Key")
    if single:
        yield single[PARTITION_KEY]["S"]
    for part in request.get("TransactItems", ()):
        for operation in part.values():
            yield from _partitions_in(operation)
    for batch in request.get("RequestItems", {}).values():
        for key in batch.get("Keys", ()):
            yield key[PARTITION_KEY]["S"]
    if query := re.match(r"#?\w+ = (:\w+)", request.get("KeyConditionExpression", "")):
        yield request["ExpressionAttributeValues"][query[1]]["S"]


def _session(role: str) -> dict[str, str]:
    """Return the credentials of a new session of *role*, as ECS and Lambda hand them out."""
    from ministack.services import sts

    key, secret, token = f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(20)
    session = {
        "Arn": f"arn:aws:sts::{server.ACCOUNT}:assumed-role/{role}/session",
        "UserId": f"{role}:session",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def _statements_of_role(iam: Any, role: str) -> list[Any]:
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert not attached, "a managed policy allows more than one environment needs"
    return [statement for document in documents for statement in document["Statement"]]


def _statements_of_policy(iam: Any, arn: str) -> list[Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    statements: list[Any] = found["Statement"]
    return statements


def main() -> None:
    """Serve, with IAM enforced."""
    options = take_over(Path(sys.argv[1]))
    authority = Authority(options.folder)
    configure, start_api = server._configure, server._start_api

    def configure_with_iam(port: int) -> None:
        configure(port)
        os.environ["AUTH"] = "true"

    def start_api_as_its_role(*arguments: Any) -> None:
        credentials = authority.admit()
        server.client_variables = lambda *where: client_variables(*where) | credentials  # type: ignore[attr-defined] # not a public name
        start_api(*arguments)

    server._configure = configure_with_iam
    server.substitute = authority.begin  # type: ignore[attr-defined] # not a public name
    server._start_api = start_api_as_its_role  # type: ignore[assignment] # takes the same, unnamed
    server.main(options)


if __name__ == "__main__":
    main()
