"""A job that behaves as its params say, and the list of the instances that it ran."""

from typing import Any

from background_jobs import JobContext, job_name

ran: list[int] = []


class Died(BaseException):
    """Ends a container as a crash does: nothing in the worker catches it, while its `launch` runs."""


@job_name("halve")
def halve(params: dict[str, Any], job: JobContext) -> Any:
    ran.append(job.index)
    if params["n"] == "die":
        raise Died
    if params["n"] % 2:
        raise ValueError(f"{params['n']} is odd")
    return params["n"] // 2 if params["n"] < 1000 else "x" * params["n"]
