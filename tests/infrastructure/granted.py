"""What a team's own functions may do after the grants of the construct, for the stack that runs offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import boto3

from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.synthesis import add_stack, write_assembly
from background_jobs.local_stack.server import ACCOUNT

GRANTED: Final = ("Starter", "Follower", "ServiceStarter", "ServiceFollower")
"""Who is granted to kick off or to read, of all services or of the service `default` alone."""


def granted_statements(outdir: Path) -> dict[str, list[Any]]:
    """Synthesize the offline environment with each of GRANTED, and return their statements, unresolved."""
    use_bundled_node()
    from aws_cdk import App
    from aws_cdk import aws_iam as iam

    local = load_environment("local")
    app = App(analytics_reporting=False, outdir=str(outdir))
    stack = add_stack(app, local)
    for name in GRANTED:
        policy = iam.ManagedPolicy(stack, name)
        grant = stack.jobs.grant_kick_off if name.endswith("Starter") else stack.jobs.grant_read
        grant(policy, "default" if name.startswith("Service") else None)
    resources = write_assembly(app, local).get_stack_by_name(stack.stack_name).template["Resources"]
    return {
        name: found["Properties"]["PolicyDocument"]["Statement"]
        for name in GRANTED
        for logical_id, found in resources.items()
        # followed by a hash of eight digits
        if logical_id[:-8] == name
    }


def deployed_values(stack: str) -> dict[str, str]:
    """Return what references mean in a deployed stack: by pseudo parameter, or by resource and attribute."""
    session = boto3.Session()
    region = session.region_name
    values = {"AWS::Region": region, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
    arns = {
        "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/",
        "AWS::S3::Bucket": "arn:aws:s3:::",
        "AWS::Logs::LogGroup": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:",
    }
    found = session.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in found:
        prefix = arns.get(resource["ResourceType"], "")
        values[f"{resource['LogicalResourceId']}.Arn"] = f"{prefix}{resource['PhysicalResourceId']}"
    return values


def resolve(value: Any, values: Mapping[str, str]) -> Any:
    """Return *value*, a part of a template, with what references in it mean."""
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(resolve(part, values) for part in parts)
        case {"Ref": str(name)}:
            return values[name]
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return values[f"{name}.{attribute}"]
        case dict():
            return {key: resolve(part, values) for key, part in value.items()}
        case list():
            return [resolve(part, values) for part in value]
    return value
