"""Writes a report of a region; each section of it is an instance."""

import time

from pydantic import BaseModel

from background_jobs import JobContext, job_name, run_e11_job


class Section(BaseModel):
    """The params of one instance."""

    region: str
    month: int


class Written(BaseModel):
    """The result of one instance."""

    title: str
    revenue: int


@job_name("write_section")
def write_section(params: Section, job: JobContext) -> Written:
    """Take about a second, and say how far it is."""
    for step in range(10):
        time.sleep(0.1)  # queries and drawing of a real report
        job.progress(10 * (step + 1), f"page {step + 1} of 10")
    return Written(title=f"{params.region}, month {params.month}", revenue=1_000 * params.month)


if __name__ == "__main__":
    run_e11_job([write_section])
