"""Deploying the shipped template to the emulator, assets first."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from background_jobs.aws import clients
from background_jobs.core.containers.variables import LOCAL, stack_name
from background_jobs.core.limits import DEFAULT_PARALLELISM, PARALLELISM
from background_jobs.core.template_assets import ANY_SERVICE, CODE_KEY, DEPENDENCIES_KEY
from background_jobs.local_stack.notifications import add_channels, make_channels
from background_jobs.local_stack.package_data import (
    NOTIFY_RESOURCES,
    SERVICE_RESOURCES,
    TEMPLATE,
    WARM_RESOURCES,
)
from background_jobs.local_stack.variables import REGION
from background_jobs.package_files import lambda_code
from background_jobs.settings import DEFAULT_SERVICE, NotifySettings, Settings, output_name

_STACK = stack_name(LOCAL)
_POLL: Any = {"Delay": 0.05, "MaxAttempts": 1_200}
"""How the end of the deployment is waited for, in parts of a second, which botocore's types do not know."""


def deploy(  # noqa: PLR0913 -- what differs between offline stacks
    account: str,
    *,
    services: Sequence[str],
    parallelism: int,
    warm: int = 0,
    notify: Mapping[str, str] | None = None,
    console_url: str = "",
) -> Settings:
    """Deploy the template in an empty account, and return its outputs as settings.

    It has *services*, the first of which counts where none is named. There are *warm* workers, and
    *parallelism* is that of a kick-off that names none. *notify* has the addresses of webhooks by the names
    of their channels; they are told where the console is.
    """
    template = json.loads(TEMPLATE.read_text())
    if notify:
        settings = NotifySettings(channels=make_channels(notify), console_url=console_url)
        add_channels(template, json.loads(NOTIFY_RESOURCES.read_text()), notify, settings)
    if warm:
        _add_warm_workers(template, warm)
    for number, service in enumerate(services):
        if service != DEFAULT_SERVICE:
            _add_service(template, service, number)
    _set(template, "service_names", ",".join(services))
    _set(template, "service", services[0])
    _set(template, "default_parallelism", str(min(parallelism, PARALLELISM)))
    _set(template, "max_parallelism", str(max(parallelism, DEFAULT_PARALLELISM)))
    bucket = _asset_bucket(template, account)
    s3, cloudformation = clients.s3(), clients.cloudformation()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=CODE_KEY, Body=_zip_folder(lambda_code()))
    s3.put_object(Bucket=bucket, Key=DEPENDENCIES_KEY, Body=_empty_layer())
    s3.put_object(Bucket=bucket, Key=TEMPLATE.name, Body=json.dumps(template).encode())
    # A template inside the call may have 51,200 bytes at most.
    url = f"{s3.meta.endpoint_url}/{bucket}/{TEMPLATE.name}"
    cloudformation.create_stack(StackName=_STACK, TemplateURL=url, Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=_STACK, WaiterConfig=_POLL)
    (stack,) = cloudformation.describe_stacks(StackName=_STACK)["Stacks"]
    return Settings.from_outputs({output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


def _set(template: dict[str, Any], field: str, value: str) -> None:
    """Tell a setting to callers, by an output, and to functions, which kick off what follows by itself."""
    template["Outputs"][output_name(field)] = {"Value": value}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Environment"]["Variables"][Settings.variable(field)] = value


def _add_service(template: dict[str, Any], service: str, number: int) -> None:
    """Add the resources of *service*, under logical ids that have its *number*."""
    text = SERVICE_RESOURCES.read_text()
    for logical_id in json.loads(text):
        text = text.replace(logical_id, logical_id.replace(ANY_SERVICE, str(number)))
    template["Resources"] |= json.loads(text.replace(ANY_SERVICE, service))


def _add_warm_workers(template: dict[str, Any], count: int) -> None:
    template["Resources"] |= json.loads(WARM_RESOURCES.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::ECS::Service":
            resource["Properties"]["DesiredCount"] = count


def _asset_bucket(template: dict[str, Any], account: str) -> str:
    """Return the bucket of a bootstrapped account, in which the template expects its assets."""
    functions = (r for r in template["Resources"].values() if r["Type"] == "AWS::Lambda::Function")
    name = next(functions)["Properties"]["Code"]["S3Bucket"]
    text: str = name["Fn::Sub"] if isinstance(name, dict) else name
    return text.replace("${AWS::AccountId}", account).replace("${AWS::Region}", REGION)


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
