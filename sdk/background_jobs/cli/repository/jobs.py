"""The jobs of this service; each parameter object of a kick-off is handed to `run` in a container."""

from pydantic import BaseModel

from background_jobs import JobContext, job_name, run_e11_job


class Batch(BaseModel):
    """The params of one instance; what does not fit is refused before a line of the job runs."""

    customer: str
    amounts: list[int]


class Total(BaseModel):
    """The result of one instance."""

    customer: str
    total: int


@job_name("add_up")
def add_up(params: Batch, job: JobContext) -> Total:
    """Return what a customer has to pay; replace it by work of yours."""
    job.progress(50, "adding up")  # shown while it runs
    return Total(customer=params.customer, total=sum(params.amounts))


if __name__ == "__main__":
    run_e11_job([add_up])  # the container's whole main: list all your jobs here
