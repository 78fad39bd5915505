"""What callers need to be allowed, by what they want to do; a test holds it to the policies of the stack."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from background_jobs.core.doctor.findings import Area, Finding, ok, warning
from background_jobs.core.events import log_partition, pointer_key
from background_jobs.core.payload_keys import payload_folder

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""An orchestration that there is not."""


class Arns(NamedTuple):
    """The ARNs of what callers use."""

    event_log: str
    read_model: str
    bucket: str


class Need(NamedTuple):
    """Some actions on one resource, with the condition keys that a request for them has."""

    purpose: str
    actions: Sequence[str]
    resource: str
    context: Mapping[str, Sequence[str]]


def needs_of_callers(arns: Arns, service: str) -> tuple[Need, ...]:
    """Return what a caller needs to kick off, follow and read jobs of *service*."""
    own = {"dynamodb:LeadingKeys": [log_partition(service, NOBODY)]}
    both = {"dynamodb:LeadingKeys": [log_partition(service, NOBODY), pointer_key(NOBODY).partition]}
    objects = f"{arns.bucket}/{payload_folder(service, NOBODY)}/params.jsonl"
    return (
        Need("kick off and cancel jobs", ("dynamodb:PutItem",), arns.event_log, both),
        Need("kick off and cancel jobs", ("s3:PutObject", "s3:AbortMultipartUpload"), objects, {}),
        Need("follow jobs", ("dynamodb:GetItem", "dynamodb:Query"), arns.read_model, own),
        Need("read outcomes", ("dynamodb:GetItem", "dynamodb:Query"), arns.event_log, own),
        Need("read outcomes", ("s3:GetObject",), objects, {}),
    )


def judge_permissions(service: str, denied: Iterable[tuple[Need, Sequence[str]]]) -> Iterator[Finding]:
    """Judge what the credentials may do for *service*, by the needs and those of their actions denied."""
    by_purpose: dict[str, set[str]] = {}
    for need, actions in denied:
        by_purpose.setdefault(need.purpose, set()).update(actions)
    for purpose, found in by_purpose.items():
        if missing := sorted(found):
            yield warning(
                Area.PERMISSIONS,
                f"These credentials may not {purpose} of {service}: {', '.join(missing)} is denied.",
                "If they are to, attach CallerPolicy, or CallerPolicyOf<Service>, outputs of the stack.",
            )
        else:
            yield ok(Area.PERMISSIONS, f"These credentials may {purpose} of {service}.")
