"""The main of this repository's own container: replace the jobs with yours."""

import hashlib

from pydantic import BaseModel

from background_jobs import job_name, run_e11_job


class Text(BaseModel):
    """The params of one instance."""

    text: str


@job_name("fingerprint")
def fingerprint(params: Text) -> str:
    """Return the SHA-256 of a text; a first job to see the stack work."""
    return hashlib.sha256(params.text.encode()).hexdigest()


if __name__ == "__main__":
    run_e11_job([fingerprint])
