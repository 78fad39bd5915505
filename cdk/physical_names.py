"""The names that CloudFormation makes of a stack and of where a resource is in it."""

from typing import Final

from aws_cdk import Stack
from constructs import IConstruct

_LEFT_OUT: Final = "Default"
"""The id that has no part in names. Source: AWS CDK, "core/lib/private/uniqueid.ts"."""


def name_prefix(construct: IConstruct) -> str:
    """Return how the names of resources in *construct* begin: ``shop-Jobs`` for ``Jobs`` in ``shop``."""
    stack = Stack.of(construct)
    inner = construct.node.scopes[len(stack.node.scopes) :]
    parts: list[str] = []
    for scope in inner:
        part = "".join(letter for letter in scope.node.id if letter.isalnum())
        # CDK leaves out what repeats the end of the part before it.
        if scope.node.id != _LEFT_OUT and not (parts and parts[-1].endswith(part)):
            parts.append(part)
    return f"{stack.stack_name}-{''.join(parts)}"
