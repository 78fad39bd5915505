"""`--param NAME=VALUE`: the params of one instance, each as the type that the schema of the job has."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from background_jobs.core.errors import BackgroundJobsError

if TYPE_CHECKING:
    from background_jobs.core.views.jobs import JobView


class InvalidParamOption(BackgroundJobsError):
    """A `--param` does not fit the schema of the job; nothing was started."""

    def __init__(self, job_name: str, reasons: Iterable[str]) -> None:
        self.job_name, self.reasons = job_name, tuple(reasons)
        super().__init__(
            f"The params do not fit the job {job_name!r}: {'; '.join(self.reasons)}. Nothing was started. "
            f"Its params: background-jobs jobs {job_name}"
        )


def read_params(job: "JobView", texts: Sequence[str]) -> dict[str, Any]:
    """Return the params that *texts* make up. Raises BadParameter or InvalidParamOption."""
    from background_jobs.core.params_schema import find_unknown, read_text
    from background_jobs.orchestration_service.jobs import explain_problem, find_problems

    params: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not (name and separator):
            raise typer.BadParameter(f"{text!r} is no param; write NAME=VALUE.", param_hint="--param")
        if name in params:
            raise typer.BadParameter(f"{name!r} is given twice.", param_hint="--param")
        params[name] = read_text(job.params_schema, name, value)
    if unknown := find_unknown(job.params_schema, params):
        raise InvalidParamOption(job.name, [f"it has no param {name!r}" for name in unknown])
    if problems := find_problems(job, [params]):
        raise InvalidParamOption(job.name, [explain_problem(problem) for problem in problems])
    return params
