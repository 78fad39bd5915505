"""The whole main of a container: `run_e11_job([...])`."""

import json
import logging
import sys
from collections.abc import Iterable
from functools import partial
from typing import Final

from background_jobs.aws.container_stores import ContainerStores
from background_jobs.core.job_descriptions import write_descriptions
from background_jobs.jobs import Jobs
from background_jobs.settings import ContainerSettings, Settings, hold_share, is_description_requested
from background_jobs.worker.container import Container
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.fork_server import serve_containers
from background_jobs.worker.fresh_process import become_supervisor, find_reason_not_to_fork, receive_handover
from background_jobs.worker.inner_process import (
    end_process,
    flush_libraries,
    forking,
    print_line_by_line,
    run_to_the_end,
)
from background_jobs.worker.last_call import is_last_call
from background_jobs.worker.logs import ContainerLog
from background_jobs.worker.next_shares import NextShare, ShareLink
from background_jobs.worker.supervisor import Predecessor, supervise
from background_jobs.worker.warm_shares import serve_shares, take_next

_log: Final = logging.getLogger(__name__)
_calls: Final[list[Jobs]] = []
"""The jobs of the call of `run_e11_job` in this process, once there was one."""


def run_e11_job(jobs: Iterable[object]) -> None:
    """Work through the share that this container was launched for; the whole main of a container.

    A warm worker, which has no share yet, takes one after the other, until it is told to end.

    *jobs* are the classes and functions decorated with `@job_name`. What a job raises becomes the outcome
    of its instance. The jobs run in a child process, so a job that ends its process does not end the
    container. Exits with status 0 when every instance has its outcome in the log, and with 75 when the share
    belongs to a later launch. In a process that a job has made, as a pool of processes does, it does nothing.
    A further call in the same process does nothing either: a container runs the jobs of the first one.
    Raises InvalidJob, and MissingSettings outside of a container.
    """
    registered = Jobs(jobs)
    if is_description_requested():
        jobs_as_json = write_descriptions(registered.describe()).decode()
        # The names are for stacks of earlier releases.
        print(f'{{"job_names": {json.dumps(registered.names)}, "jobs": {jobs_as_json}}}')  # noqa: T201
        return
    if _calls:
        _log.info("run_e11_job was called again, to no effect: a container runs the jobs of its first call")
        return
    _calls.append(registered)
    handover = receive_handover()
    is_fork = serve_containers(registered)
    if handover is None and not hold_share():
        return
    link = serve_shares() if handover is None else None
    container, settings = ContainerSettings.from_env(), Settings.from_env()
    log = _begin_log(container)
    print_line_by_line()
    work = partial(_work_on_share, registered)
    if handover is not None:
        run_to_the_end(work, handover.current_attempt, handover.predecessor)
    limit = settings.service_memory_limits.get(container.service, 0)
    may_grow = container.memory_mib is not None and container.memory_mib < limit
    if link is None and (reason := find_reason_not_to_fork()):
        _log.info("The jobs' main has %s: it is run again, in a process of its own", reason)
        become_supervisor(log.context() if log.is_for_machines else None, may_grow=may_grow)
    status = (
        supervise(forking(work), may_grow=may_grow)
        if link is None
        else supervise(forking(work), _with_link, may_grow=may_grow, next_share=partial(_take_next, link))
    )
    if status:
        sys.exit(status)
    if is_fork and is_last_call(sys._getframe().f_back):  # noqa: SLF001 -- the documented way to the caller
        flush_libraries()
        end_process(0)


def _work_on_share(jobs: Jobs, current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
    """Work on the share in the variables, which may be another one than that of the call before."""
    container = ContainerSettings.from_env()
    _begin_log(container).current_attempt = current_attempt
    stores = ContainerStores.of(Settings.from_env())
    return Container(jobs, container, stores, current_attempt, predecessor).work()


def _begin_log(container: ContainerSettings) -> ContainerLog:
    log = ContainerLog(container)
    log.begin()
    return log


def _with_link() -> SharedCurrentAttempt:
    return SharedCurrentAttempt(link=ShareLink())


def _take_next(link: ShareLink) -> NextShare | None:
    share = take_next(link)
    if share:
        _begin_log(ContainerSettings.from_env())
    return share
