"""Another service with a function, and the rule that starts it; on AWS both would be in its own stack."""

import io
import json
import os
import sys
import time
import uuid
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

from background_jobs import Settings

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Shipping:
    """The function ``shipping``, which starts on every event that *pattern* matches while this is open."""

    def __init__(self, pattern: dict[str, Any]) -> None:
        self._pattern = pattern
        self._name = f"shipping-{uuid.uuid4().hex[:12]}"
        self._bus = Settings.from_env().event_bus
        self._s3, self._lambda, self._events = (boto3.client(name) for name in ("s3", "lambda", "events"))

    def __enter__(self) -> Self:
        region = self._s3.meta.region_name
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self._s3.create_bucket(Bucket=self._name, **({} if region == "us-east-1" else elsewhere))
        function = self._lambda.create_function(
            FunctionName=self._name,
            Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
            Role=boto3.client("iam").create_role(
                RoleName=self._name, AssumeRolePolicyDocument=json.dumps(_TRUST)
            )["Role"]["Arn"],
            Handler="shipping.handler",
            Code={"ZipFile": _zip(Path(__file__).with_name("shipping.py"))},
            Environment={"Variables": {"SHIPMENTS": self._name, **_endpoint()}},
        )["FunctionArn"]
        rule = self._events.put_rule(
            Name=self._name, EventBusName=self._bus, EventPattern=json.dumps(self._pattern)
        )["RuleArn"]
        self._lambda.add_permission(
            FunctionName=self._name, StatementId="rule", Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com", SourceArn=rule,
        )  # fmt: skip
        self._events.put_targets(
            Rule=self._name, EventBusName=self._bus, Targets=[{"Id": "shipping", "Arn": function}]
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["shipping"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
        self._lambda.delete_function(FunctionName=self._name)

    def wait_for(self, orchestration_id: str, *, timeout: float) -> dict[str, Any]:
        """Return what the function has noted of an orchestration. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                noted = self._s3.get_object(Bucket=self._name, Key=f"{orchestration_id}.json")
            except self._s3.exceptions.NoSuchKey:
                time.sleep(0.2)
            else:
                shipment: dict[str, Any] = json.load(noted["Body"])
                return shipment
        raise TimeoutError(f"Nothing was shipped of {orchestration_id} within {timeout:g} s.")


def _zip(path: Path) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.write(path, path.name)
    return written.getvalue()


def _endpoint() -> dict[str, str]:
    """Return what leads the function to the emulator, too; nothing on AWS."""
    return {name: value for name, value in os.environ.items() if name == "AWS_ENDPOINT_URL"}
