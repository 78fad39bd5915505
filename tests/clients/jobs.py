"""A job for the clients of the API: even numbers are halved, and odd ones raise."""

from typing import Any

from background_jobs import job_name, run_e11_job


@job_name("halve")
def halve(params: dict[str, int]) -> int:
    if params["n"] % 2:
        raise ValueError(f"{params['n']} is odd")
    return params["n"] // 2


@job_name("wait_for_ever")
def wait_for_ever(params: dict[str, Any]) -> None:
    import time

    while True:
        time.sleep(0.1)


if __name__ == "__main__":
    run_e11_job([halve, wait_for_ever])
