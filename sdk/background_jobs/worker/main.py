"""The whole main of a container: `run_e11_job([...])`."""

import json
import sys
from collections.abc import Iterable

from background_jobs.aws.stores import Stores
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings, is_description_requested
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.inner_process import forking
from background_jobs.worker.logs import ContainerLog
from background_jobs.worker.supervisor import Predecessor, supervise


def run_e11_job(jobs: Iterable[object]) -> None:
    """Work through the share that this container was launched for; the whole main of a container.

    *jobs* are the classes and functions decorated with `@job_name`. What a job raises becomes the outcome
    of its instance. The jobs run in a child process, so a job that ends its process does not end the
    container. Exits with status 0 when every instance has its outcome in the log, and with 75 when the share
    belongs to a later launch. Raises InvalidJob, and MissingSettings outside of a container.
    """
    registered = Jobs(jobs)
    if is_description_requested():
        registered.read_annotations()
        print(json.dumps({"job_names": registered.names}))  # noqa: T201 -- the stack reads it
        return
    container, settings = ContainerSettings.from_env(), Settings.from_env()
    log = ContainerLog(container)
    log.begin()

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        log.current_attempt = current_attempt
        return Container(registered, container, Stores.of(settings), current_attempt, predecessor).work()

    if status := supervise(forking(work)):
        sys.exit(status)
