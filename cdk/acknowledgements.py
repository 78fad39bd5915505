"""The findings of AWS's own rules (cdk-nag) that we accept, each with its reason."""

from typing import Any, Final

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

_PACK: Final = "AwsSolutions"


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the finding of *rule* (``S1``) in *construct* and below it, for *reason*."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"{_PACK}::{_PACK}-{rule}", reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Accept permissions on *resource*, an ARN with a wildcard, in *construct* and below, for *reason*."""
    resolved = _format_token(Stack.of(construct).resolve(resource))
    acknowledge(construct, f"IAM5[Resource::{resolved}]", reason)


def _format_token(value: Any) -> str:  # noqa: ANN401 -- CloudFormation's functions
    """Return a resolved token as the rules write it: ``<LogicalId.Arn>/orchestrations/*``."""
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(_format_token(part) for part in parts)
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
    return str(value)
