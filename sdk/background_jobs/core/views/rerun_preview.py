"""What a rerun would run, before it does."""

from typing import Any

from pydantic import BaseModel, Field

from background_jobs.core.lineage import Rerun
from background_jobs.core.views.jobs import ParamsProblem


class ParamsChange(BaseModel):
    """The params of an instance before a rerun and in it; null where they are larger than 24 KB."""

    index: int
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class RerunPreview(BaseModel):
    """What a rerun would run; nothing was started."""

    orchestration_id: str
    job_name: str
    only: Rerun = Field(description="The failed instances, all, or others that were selected.")
    instances: int = Field(description="How many instances would run again.")
    indices: str = Field(description="The first of their indices, such as `0-99,250`.")
    more_indices: bool = Field(description="Whether there are more indices than are listed.")
    repaired: int = Field(description="How many of them have completed in another rerun already.")
    next_stages: list[str] = Field(default=[], description="The jobs of the stages that follow it, in order.")
    goes_on: bool = Field(
        default=False,
        description="Whether these run after it: the pipeline stopped here, or `next_stages` is given.",
    )
    changed: bool = Field(description="Whether params are changed.")
    params: list[ParamsChange] = Field(description="The params of the first instances.")
    problems: list[ParamsProblem] = Field(
        default=[],
        description="What of the changed params among them does not fit the schema that the job has "
        "published, by the index of the instance.",
    )
