"""What the jobs of each service publish of themselves, in objects of the payload bucket."""

from collections.abc import Iterable
from dataclasses import dataclass

from background_jobs.aws.payloads import Payloads
from background_jobs.core.errors import PayloadDenied, PayloadNotFound
from background_jobs.core.job_descriptions import (
    JobDescription,
    descriptions_key,
    read_descriptions,
    write_descriptions,
)


@dataclass(frozen=True, slots=True)
class JobCatalog:
    """The object ``jobs/<service>.json`` of each service; a deployment publishes it, and it never expires."""

    payloads: Payloads

    def publish(self, service: str, jobs: Iterable[JobDescription]) -> None:
        """Replace what the jobs of *service* have published."""
        self.payloads.put(descriptions_key(service), write_descriptions(jobs))

    def read(self, service: str) -> tuple[JobDescription, ...]:
        """Return what the jobs of *service* have published; nothing where they have not."""
        try:
            return read_descriptions(self.payloads.get(descriptions_key(service)))
        except (PayloadNotFound, PayloadDenied):  # S3 says so to those who may not list the bucket
            return ()
