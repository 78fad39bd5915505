"""Deploying the shipped template to the emulator, assets first."""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from background_jobs.core.containers.variables import stack_name
from background_jobs.core.template_assets import CODE_KEY, DEPENDENCIES_KEY
from background_jobs.local_stack.package_data import TEMPLATE, WARM_RESOURCES, lambda_code
from background_jobs.settings import Settings

if TYPE_CHECKING:
    from boto3 import Session

_STACK = stack_name("local")
_POLL = {"Delay": 0.05, "MaxAttempts": 1_200}


def deploy(session: "Session", account: str, warm: int = 0) -> Settings:
    """Deploy the template in an empty account, with *warm* workers, and return its outputs as settings."""
    template = _with_warm_workers(warm) if warm else TEMPLATE.read_text()
    bucket = _asset_bucket(json.loads(template), account, session.region_name)
    s3, cloudformation = session.client("s3"), session.client("cloudformation")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=CODE_KEY, Body=_zip_folder(lambda_code()))
    s3.put_object(Bucket=bucket, Key=DEPENDENCIES_KEY, Body=_empty_layer())
    s3.put_object(Bucket=bucket, Key=TEMPLATE.name, Body=template.encode())
    # A template inside the call may have 51,200 bytes at most.
    url = f"{s3.meta.endpoint_url}/{bucket}/{TEMPLATE.name}"
    cloudformation.create_stack(StackName=_STACK, TemplateURL=url, Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=_STACK, WaiterConfig=_POLL)
    (stack,) = cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
    return Settings.from_outputs({output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


def _with_warm_workers(count: int) -> str:
    template = json.loads(TEMPLATE.read_text())
    template["Resources"] |= json.loads(WARM_RESOURCES.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::ECS::Service":
            resource["Properties"]["DesiredCount"] = count
    return json.dumps(template)


def _asset_bucket(template: dict[str, Any], account: str, region: str) -> str:
    """Return the bucket of a bootstrapped account, in which the template expects its assets."""
    functions = (r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function")
    name = next(functions)["Properties"]["Code"]["S3Bucket"]
    text: str = name["Fn::Sub"] if isinstance(name, dict) else name
    return text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)


def _zip_folder(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*.py")):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _empty_layer() -> bytes:
    """Return a layer without packages: the functions import what is installed with the emulator."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("README", "The functions import what is installed beside the emulator.\n")
    return buffer.getvalue()
