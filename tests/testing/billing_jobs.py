"""The jobs of a second service, for the twin and the offline stack."""

from background_jobs import job_name, run_e11_job


@job_name("bill")
def bill(params: dict[str, int]) -> int:
    return params["n"] + 1


if __name__ == "__main__":
    run_e11_job([bill])
