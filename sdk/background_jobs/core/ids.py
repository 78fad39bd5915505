"""Ids that can be computed before anything runs, so that a second try has the same id as the first."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from typing import Final
from uuid import UUID, uuid5

SHORTEST_PREFIX: Final = 4
"""The fewest characters that stand for an id that begins with them."""
_PREFIX: Final = re.compile(r"[0-9a-f][0-9a-f-]{3,35}")
_NAMESPACE: Final = UUID("5e0b9a54-0f0f-5c0e-9d6e-6b6a6f6f6273")


def orchestration_id_for_key(service: str, job_name: str, key: str) -> str:
    """Return the id that the kick-off of *job_name* in *service* under *key* always gets.

    >>> orchestration_id_for_key("billing", "bill", "2026-11")
    '26e55995-3659-560c-bd66-5a8837e0cc28'
    """
    return str(uuid5(_NAMESPACE, f"{service}\n{job_name}\n{key}"))


def occurrence_id(schedule: str, scheduled_at: datetime) -> str:
    """Return the id that the orchestration of a schedule's occurrence always gets.

    >>> at = datetime(2026, 11, 24, 3, tzinfo=UTC)
    >>> occurrence_id("nightly", at) == occurrence_id("nightly", at.astimezone())
    True
    """
    return str(uuid5(_NAMESPACE, f"schedule\n{schedule}\n{scheduled_at.astimezone(UTC).isoformat()}"))


def job_id(orchestration_id: str, index: int) -> str:
    """Return the UUIDv5 of job instance *index* (from 0), known before anything is launched.

    A container makes one for each attempt, so this does what `uuid5` does in a fifth of its time.

    >>> orchestration_id = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
    >>> job_id(orchestration_id, 7) == str(uuid5(UUID(orchestration_id), "7"))
    True
    """
    digits = sha1(_bytes_of(orchestration_id) + b"%d" % index, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


@lru_cache(maxsize=128)
def _bytes_of(orchestration_id: str) -> bytes:
    return UUID(orchestration_id).bytes


def completion_event_id(service: str, orchestration_id: str) -> str:
    """Return the one id under which the JobCompletedEvent of an orchestration is ever published."""
    return str(uuid5(UUID(orchestration_id), f"JobCompletedEvent\n{service}"))


def next_stage_id(orchestration_id: str) -> str:
    """Return the id of the stage that follows an orchestration, known before either is started."""
    return str(uuid5(UUID(orchestration_id), "next stage"))


def rule_stage_id(orchestration_id: str, rule: str) -> str:
    """Return the id of the stage that *rule* starts when an orchestration has completed."""
    return str(uuid5(UUID(orchestration_id), f"rule\n{rule}"))


def rerun_id(orchestration_id: str, key: str) -> str:
    """Return the id that the rerun of an orchestration under *key* always gets."""
    return str(uuid5(UUID(orchestration_id), f"rerun\n{key}"))


def execution_name(service: str, orchestration_id: str) -> str:
    """Return the name of the execution that fans an orchestration out.

    >>> execution_name("billing", "7c0e")
    'billing_7c0e'
    """
    return f"{service}_{orchestration_id}"


def orchestration_of_execution(name: str) -> tuple[str, str] | None:
    """Return the service and the orchestration id of an execution; None where it is of no orchestration.

    >>> orchestration_of_execution("billing_0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11")
    ('billing', '0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11')
    """
    service, _, orchestration_id = name.partition("_")
    return (service, orchestration_id) if is_orchestration_id(orchestration_id) else None


def is_prefix_of_id(text: str) -> bool:
    """Tell whether *text* may stand for an id that begins with it: four characters or more.

    >>> is_prefix_of_id("7c0e"), is_prefix_of_id("7c0"), is_prefix_of_id("nightly")
    (True, False, False)
    """
    return _PREFIX.fullmatch(text) is not None


def is_orchestration_id(text: str) -> bool:
    """Tell whether *text* is a UUID in its canonical form.

    >>> is_orchestration_id("not-an-id")
    False
    """
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
