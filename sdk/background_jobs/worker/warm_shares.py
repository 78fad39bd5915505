"""The processes of a warm worker: each share has a container's own, with the variables of a container.

The jobs' main is loaded once, before there is a share, and forked for each. Where it did what forks cannot
share, the worker becomes a process that has nothing of it (`os.execv`), and runs the main anew each time.
"""

import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

from background_jobs.aws import clients
from background_jobs.aws.offer_queue import OfferQueue
from background_jobs.aws.task_protection import TaskProtection
from background_jobs.aws.task_tokens import TaskTokens
from background_jobs.core.containers.variables import JOB_NAME, ORCHESTRATION_ID, SHARE_VARIABLES
from background_jobs.json_log import FOR_PEOPLE, JsonFormatter
from background_jobs.settings import HOLDER, PREFIX, WarmWorkerSettings, is_warm_worker
from background_jobs.worker import loading_notes, warm_worker
from background_jobs.worker.container_metadata import read_metadata
from background_jobs.worker.fork_safety import find_reason_not_to_share, renew_random_state
from background_jobs.worker.fresh_process import become, can_main_be_run_again
from background_jobs.worker.inner_process import flush_output
from background_jobs.worker.loaded_files import are_current, forget_edited, read_start, stamp_loaded
from background_jobs.worker.next_shares import NextShare, ShareLink
from background_jobs.worker.share_process import ShareProcess
from background_jobs.worker.warm_worker import Start, WarmWorker

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_SERVE: Final = "from background_jobs.worker.warm_shares import main; main(sys.argv[2])"
_WARM: Final = f"{PREFIX}WARM"
_LOG: Final = f"{PREFIX}LOG"
_log = logging.getLogger(__name__)


class _InShare(BaseException):
    """This process is a fork that is to work on a share; its variables are set."""

    def __init__(self, link: ShareLink) -> None:
        self.link = link


def serve_shares() -> ShareLink | None:
    """Serve shares until it is told to end, if this process is a warm worker; return in each of its forks.

    A fork can get further shares by the link; None is for a container that is no warm worker.
    """
    if _has_notes:  # before anything of ours reads a variable
        loading_notes.end()
    if not is_warm_worker():
        return None
    settings = WarmWorkerSettings.from_env()
    _log_to_stderr(settings)
    if (reason := _find_reason_not_to_fork()) and can_main_be_run_again():
        _log.info("The jobs' main %s: it is run anew for each share, and no process is reused", reason)
        become(_SERVE, {})
    clients.make_to_be_forked()
    gc.collect()
    gc.freeze()
    try:
        # Offline, jobs are edited while a worker waits; what is run anew is never stale.
        loaded = {} if settings.metadata_uri else forget_edited(stamp_loaded(), since=read_start())
        status = _worker(settings, _forking, partial(are_current, loaded)).serve()
    except _InShare as in_share:
        return in_share.link
    flush_output()
    os._exit(status)


def take_next(link: ShareLink) -> NextShare | None:
    """Have this outer process say that its share is done, and take the next; None where there is none."""
    flush_output()
    offered = link.wait_for_next()
    if offered is None:
        return None
    share = offered._replace(variables={**offered.variables, HOLDER: str(os.getpid())})
    share.take()
    return share


def main(command: str) -> NoReturn:
    """Serve shares, and run the jobs' main, a command in JSON, for each."""
    if _has_notes:
        loading_notes.end()
    settings = WarmWorkerSettings.from_env()
    _log_to_stderr(settings)
    argv = json.loads(command)["command"]
    sys.exit(_worker(settings, lambda logs, _: _spawning(argv, logs)).serve())


Logs = Callable[[str], str]
"""Returns the file of the log of a share of an orchestration; empty where the worker's own log takes it."""


def _worker(
    settings: WarmWorkerSettings,
    start: "Callable[[Logs, Callable[[], None]], Start]",
    is_current: Callable[[], bool] = lambda: True,
) -> WarmWorker:
    queue, tokens = OfferQueue(clients.sqs(), settings.queue), TaskTokens(clients.stepfunctions())

    def close() -> None:
        queue.close()
        tokens.close()

    return WarmWorker(
        read_metadata(settings).task_definition,
        queue,
        tokens,
        TaskProtection(settings.agent_uri),
        start(_log_files(settings.log), close),
        is_current,
    )


def _log_files(own: str) -> Logs:
    if not own or not Path(own).parent.is_dir():  # that of a container of Docker is not in it
        return lambda _: ""
    numbers = count(1)
    return lambda orchestration_id: str(Path(own).with_suffix(f".{next(numbers)}-{orchestration_id[:8]}.log"))


def _begin_notes() -> bool:
    """Note what the main reads while it is loaded, if this process is a warm worker."""
    if loading_notes.are_taken() or not is_warm_worker():
        return False
    loading_notes.begin()
    return True


def _find_reason_not_to_fork() -> str:
    if read := SHARE_VARIABLES.intersection(loading_notes.variables):
        return f"read {min(read)} while it was loaded"
    return find_reason_not_to_share()


def _forking(logs: Logs, close: Callable[[], None]) -> Start:
    """Return what forks this process for a share; the fork raises _InShare."""

    def fork(variables: Mapping[str, str], kept: ShareProcess | None) -> ShareProcess:
        log, job = logs(variables[ORCHESTRATION_ID]), variables[JOB_NAME]
        share = NextShare({**os.environ, **_of_share(variables, log)}, log)
        if kept and kept.job_name == job and kept.hand(share):
            return kept
        if kept:
            kept.end()
        flush_output()
        link = ShareLink()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        if pid := os.fork():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return ShareProcess(pid, link.be_parent(), job)
        close()
        share.take()
        os.environ[HOLDER] = str(os.getpid())
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        renew_random_state()
        raise _InShare(link.be_child())

    return fork


def _of_share(variables: Mapping[str, str], log: str) -> dict[str, str]:
    return {**variables, _WARM: "true", **({_LOG: log} if log else {})}


def _spawning(command: list[str], logs: Logs) -> Start:
    """Return what runs the jobs' main for a share, as for any container."""

    def spawn(variables: Mapping[str, str], _kept: ShareProcess | None) -> ShareProcess:
        log = logs(variables[ORCHESTRATION_ID])
        own = {name: value for name, value in os.environ.items() if name != HOLDER}
        pid = os.posix_spawn(
            command[0],
            command,
            own | _of_share(variables, log),
            file_actions=list(_redirected(log)),
            setsigmask=[],
            setsigdef=_SIGNALS,
        )
        return ShareProcess(pid)

    return spawn


def _redirected(log: str) -> Iterator[tuple[int, ...]]:
    if log:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        yield os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600  # type: ignore[misc] # its stubs know no path
        yield os.POSIX_SPAWN_DUP2, 1, 2


def _log_to_stderr(settings: WarmWorkerSettings) -> None:
    """Log what the worker itself does; the log of a share is set up in its process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.metadata_uri else logging.Formatter(FOR_PEOPLE))
    for logger in (_log, logging.getLogger(warm_worker.__name__)):
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


_has_notes: Final = _begin_notes()
