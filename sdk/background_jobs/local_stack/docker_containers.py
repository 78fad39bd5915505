"""The containers of a stack in Docker."""

from typing import Final

from background_jobs.local_stack.jobs_image import docker

STACK_LABEL: Final = "background-jobs.stack"
"""The label that selects the containers of a stack."""


def remove_containers(stack_id: str) -> None:
    """Remove every container of a stack, those that nothing waits for included."""
    ids = docker("ps", "--all", "--quiet", f"--filter=label={STACK_LABEL}={stack_id}").stdout.split()
    if ids:
        docker("rm", "--force", "--volumes", *ids)
