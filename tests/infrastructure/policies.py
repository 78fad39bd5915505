"""What IAM policies allow: an evaluator of identity policies, for the operators of conditions that ours use.

It is independent of the emulator's, which enforces the same policies while the suite runs.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

LEADING_KEYS: Final = "dynamodb:LeadingKeys"
"""The partition keys that a request to DynamoDB names."""
Statement = Mapping[str, Any]


class Request(NamedTuple):
    """A call as IAM sees it, with its condition keys; a key that is absent has no value at all."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = {}


def allows(statements: Iterable[Statement], request: Request) -> bool:
    """Tell whether a statement allows *request*, and none denies it."""
    effects = {statement["Effect"] for statement in statements if _applies(statement, request)}
    return effects == {"Allow"}


def lets(policy: Iterable[Statement], principal: str, request: Request) -> bool:
    """Tell whether the policy of a resource lets the service *principal* make *request*."""
    return allows((s for s in policy if _is_principal(s["Principal"], principal)), request)


def _is_principal(allowed: str | Mapping[str, Any], principal: str) -> bool:
    if isinstance(allowed, str):
        return allowed == "*"
    return "*" in listed(allowed.get("AWS", [])) or principal in listed(allowed.get("Service", []))


def listed(value: Any) -> list[Any]:
    """Return what may be a list or a single value as a list."""
    return value if isinstance(value, list) else [value]


def _applies(statement: Statement, request: Request) -> bool:
    return (
        any(_like(request.action.lower(), action.lower()) for action in listed(statement["Action"]))
        and any(_like(request.resource, resource) for resource in listed(statement["Resource"]))
        and all(
            _holds(operator, listed(expected), request.context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _holds(operator: str, expected: Sequence[str], values: Sequence[str] | None) -> bool:
    """Tell whether a condition holds. Raises KeyError for an operator that this evaluator does not know."""
    if operator == "Null":
        return (values is None) == (expected == ["true"])
    quantifier, _, comparison = operator.rpartition(":")
    matches = _COMPARISONS[comparison]
    found = [any(matches(value, pattern) for pattern in expected) for value in values or ()]
    if quantifier == "ForAllValues":
        # Of nothing, everything is true.
        return all(found)
    if quantifier == "ForAnyValue":
        return any(found)
    return len(found) == 1 and found[0]


def _like(value: str, pattern: str) -> bool:
    wildcards = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wildcards, value, flags=re.DOTALL) is not None


def _equals(value: str, expected: str) -> bool:
    return value == expected


_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "Bool": _equals,
    "StringEquals": _equals,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
}
