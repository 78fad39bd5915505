"""Jobs as they are listed, and what a kick-off would run, on the command line and by the API."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from background_jobs.core.job_descriptions import JobDescription


class JobView(JobDescription):
    """A job of the environment that can be kicked off."""

    service: str | None = None
    """The service that runs it; None where its image has published nothing and it could be any."""
    is_described: bool = True
    """Whether its image has published what is here; otherwise the name is all that is known."""


class ParamsProblem(BaseModel):
    """A field of params that does not fit the schema of the job."""

    model_config = ConfigDict(frozen=True)

    index: int
    """The index of the params; the first is 0."""
    field: str
    """Where in them: ``customer``, ``items[2].price``; empty for the object as a whole."""
    message: str


class KickOffPreview(BaseModel):
    """What a kick-off would run; nothing was started."""

    model_config = ConfigDict(frozen=True)

    job_name: str
    service: str
    instances: int
    containers: int
    """The most that work at once."""
    instances_per_container: int
    """The most that one of them is handed."""
    first_params: tuple[Any, ...]
    """The params of the first instances."""
    checked: int
    """How many of the params were held to the schema of the job, from the first on."""
    problems: tuple[ParamsProblem, ...]
    """What is wrong with the params, the first of it; empty where they fit, or the job has no schema."""
