"""Deletes what is older than its retention; a batch of folders is an instance."""

from pathlib import Path

from pydantic import BaseModel

from background_jobs import Retry, job_name, run_e11_job


class Batch(BaseModel):
    """The params of one instance."""

    folders: list[str]
    force: bool = False
    """Also what somebody has put under a hold."""


class Deleted(BaseModel):
    """The result of one instance."""

    files: int
    bytes: int


@job_name("clean_up", retry=Retry(max_attempts=3, base_seconds=0.1, give_up_on=(PermissionError,)))
def clean_up(params: Batch) -> Deleted:
    """Delete the files of all folders; a second run finds none, and that is well."""
    files = size = 0
    for folder in map(Path, params.folders):
        if (folder / "HOLD").exists() and not params.force:
            raise PermissionError(f"{folder.name} is under a hold")
        for path in folder.glob("*.log"):
            size += path.stat().st_size
            path.unlink(missing_ok=True)
            files += 1
    return Deleted(files=files, bytes=size)


if __name__ == "__main__":
    run_e11_job([clean_up])
