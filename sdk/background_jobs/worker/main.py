"""The whole main of a container: `run_e11_job([...])`."""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Final

from background_jobs.aws.container_stores import ContainerStores
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings, hold_share, is_description_requested
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.fork_server import serve_containers
from background_jobs.worker.fresh_process import become_supervisor, find_reason_not_to_fork, receive_handover
from background_jobs.worker.inner_process import forking, print_line_by_line, run_to_the_end
from background_jobs.worker.logs import ContainerLog
from background_jobs.worker.supervisor import Predecessor, supervise
from background_jobs.worker.warm_shares import serve_shares

_log: Final = logging.getLogger(__name__)


def run_e11_job(jobs: Iterable[object]) -> None:
    """Work through the share that this container was launched for; the whole main of a container.

    A warm worker, which has no share yet, takes one after the other, until it is told to end.

    *jobs* are the classes and functions decorated with `@job_name`. What a job raises becomes the outcome
    of its instance. The jobs run in a child process, so a job that ends its process does not end the
    container. Exits with status 0 when every instance has its outcome in the log, and with 75 when the share
    belongs to a later launch. In a process that a job has made, as a pool of processes does, it does nothing.
    Raises InvalidJob, and MissingSettings outside of a container.
    """
    registered = Jobs(jobs)
    if is_description_requested():
        registered.read_annotations()
        print(json.dumps({"job_names": registered.names}))  # noqa: T201 -- the stack reads it
        return
    handover = receive_handover()
    serve_containers(registered)
    if handover is None and not hold_share():
        return
    if handover is None:
        serve_shares()
    container, settings = ContainerSettings.from_env(), Settings.from_env()
    log = ContainerLog(container)
    log.begin()
    print_line_by_line()

    def work(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        log.current_attempt = current_attempt
        return Container(
            registered, container, ContainerStores.of(settings), current_attempt, predecessor
        ).work()

    if handover is not None:
        run_to_the_end(work, handover.current_attempt, handover.predecessor)
    limit = settings.service_memory_limits.get(container.service, 0)
    may_grow = container.memory_mib is not None and container.memory_mib < limit
    if reason := find_reason_not_to_fork():
        _log.info("The jobs' main has %s: it is run again, in a process of its own", reason)
        become_supervisor(log.context() if log.is_for_machines else None, may_grow=may_grow)
    if status := supervise(forking(work), may_grow=may_grow):
        sys.exit(status)
