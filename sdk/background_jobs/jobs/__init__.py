"""The face of the package for authors of jobs: `@job_name`, `JobContext`, and the jobs of a service."""

from background_jobs.jobs.context import JobContext
from background_jobs.jobs.definition import JobDefinition, Jobs, find_definition, job_name

__all__ = ["JobContext", "JobDefinition", "Jobs", "find_definition", "job_name"]
