"""The jobs of the end-to-end tests; the main of their containers."""

import os
from typing import Any

from pydantic import BaseModel

from background_jobs import JobContext, job_name, run_e11_job


class Numbers(BaseModel):
    values: list[int]


@job_name("total")
class Total:
    def run(self, params: Numbers, job: JobContext) -> dict[str, Any]:
        return {"total": sum(params.values), "index": job.index, "customer": job.tags.get("customer")}


@job_name("fussy")
def fussy(params: dict[str, Any]) -> str:
    if params.get("bad"):
        raise ValueError(f"{params['bad']} is bad")
    return "good"


@job_name("exit")
def exit_process(params: dict[str, Any]) -> str:
    if params.get("exit"):
        os._exit(9)
    return "stayed"


@job_name("environment")
def environment(params: dict[str, Any]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in params["names"]}  # noqa: TID251 -- what it is about


if __name__ == "__main__":
    run_e11_job([Total, fussy, exit_process, environment])
