"""The models that only HTTP has: parts of addresses, bodies of requests, and problems."""

from typing import Annotated, Any, Self

from fastapi import Body, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from background_jobs.core.bounds import ORCHESTRATION_ID, JobName, PageSize, Reason
from background_jobs.core.options import KickOffOptions, RerunOptions
from background_jobs.core.schedules.definition import ScheduleDefinition
from background_jobs.core.schedules.options import TIMING_OPTIONS, ScheduleOptions

Limit = Annotated[PageSize, Query(description="The most items that the page holds.")]
NextToken = Annotated[
    str | None,
    Query(max_length=2_048, description="The next_token of the page before; without it, the first page."),
]
OrchestrationId = Annotated[str, Path(pattern=ORCHESTRATION_ID, description="The orchestration's UUID.")]


class KickOffBody(KickOffOptions):
    """The job, the params and the options of a kick-off."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(description="One job instance for each.")


class RerunBody(RerunOptions):
    """Which instances are to run again, and how."""


class ScheduleBody(ScheduleOptions):
    """The job, the params and the options of a schedule."""

    job_name: JobName
    params: list[dict[str, Any]] = Field(default=[{}], min_length=1, description="One job instance for each.")


class ScheduleDefinitionView(ScheduleOptions):
    """A schedule as the body that defines it, to be changed and sent back."""

    job_name: JobName
    params: list[dict[str, Any]] | None = Field(
        description="One job instance for each; null where they are too large to show."
    )
    declared: bool = Field(description="Whether the stack declares it, so that it is changed there.")

    @classmethod
    def of(cls, definition: ScheduleDefinition) -> Self:
        """Return what *definition* was made of."""
        kept = {
            option: getattr(definition, option)
            for option in ScheduleOptions.model_fields
            if option not in TIMING_OPTIONS
        }
        timing = {option: getattr(definition.timing, option) for option in TIMING_OPTIONS}
        return cls(
            **kept,
            **timing,
            job_name=definition.job_name,
            params=None if definition.params_key else list(definition.params),
            declared=definition.declared,
        )


class CancelBody(BaseModel):
    """Why an orchestration is to end."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = ""


OptionalRerun = Annotated[RerunBody, Body(default_factory=RerunBody)]
OptionalCancel = Annotated[CancelBody, Body(default_factory=CancelBody)]
"""What may be left out altogether, for all of its fields may."""


def locate(request: Request, path: str) -> str:
    """Return the address of *path*, which is below the root of the API, relative to that of *request*.

    Only a relative one holds below whatever path API Gateway or a proxy serves the API.
    """
    return "../" * (request.url.path.count("/") - 1) + path
