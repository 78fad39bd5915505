"""What a job publishes of itself: its params as JSON Schema, a line of documentation, and its defaults."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from background_jobs.core.bounds import JobName
from background_jobs.core.retry import ONCE, Retry

JOB_MARK: Final = "__background_job__"
"""The attribute of a decorated job that has its definition."""


class JobDescription(BaseModel):
    """A job as its image tells of it."""

    # A release reads what later releases publish, without the fields that it does not know.
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: JobName
    aliases: tuple[JobName, ...] = ()
    """The names that it had before, under which it can still be kicked off."""
    description: str = ""
    """The first paragraph of its docstring."""
    params_schema: dict[str, Any] | None = None
    """The JSON Schema of its params; None for any object, and for types that have no schema."""
    retry: Retry = ONCE
    timeout_seconds: float | None = None
    """How long an attempt may take; None for no limit."""
    expected_seconds: float | None = None
    """How long an instance takes, more or less; None if the job does not say."""
    concurrency: int = 1
    """How many instances run at once in one container."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return its name and its aliases."""
        return (self.name, *self.aliases)


_DESCRIPTIONS: Final = TypeAdapter(tuple[JobDescription, ...])


def descriptions_key(service: str) -> str:
    """Return the object of the payload bucket that describes the jobs of *service*.

    >>> descriptions_key("billing")
    'jobs/billing.json'
    """
    return f"jobs/{service}.json"


def names_of(jobs: Iterable[JobDescription]) -> tuple[str, ...]:
    """Return every name under which one of *jobs* can be kicked off.

    >>> names_of([JobDescription(name="bill", aliases=("invoice",)), JobDescription(name="sync")])
    ('bill', 'invoice', 'sync')
    """
    return tuple(name for job in jobs for name in job.names)


def write_descriptions(jobs: Iterable[JobDescription]) -> bytes:
    """Return the descriptions of a service's jobs as JSON."""
    return _DESCRIPTIONS.dump_json(tuple(jobs))


def read_descriptions(document: bytes | str) -> tuple[JobDescription, ...]:
    """Return the descriptions in *document*. Raises ValueError if it holds something else."""
    return _DESCRIPTIONS.validate_json(document)
