"""An inner process that is started afresh, where what the jobs' modules did while loading forbids a fork.

A thread does not survive a fork, and a connection that two processes share answers either of them. So the
first process becomes, with its id, an outer process that has nothing of the jobs (`os.execv`), and that one
runs the jobs' main again in a child. The outer process loads this module, so it imports little.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import __main__
from background_jobs.json_log import FOR_PEOPLE, JsonFormatter
from background_jobs.worker.blame import Blame, Verdict
from background_jobs.worker.current_attempt import SharedCurrentAttempt
from background_jobs.worker.fork_safety import has_socket, has_threads
from background_jobs.worker.supervisor import Predecessor, supervise

_HANDOVER: Final = "BACKGROUND_JOBS_HANDOVER"
_PACKAGES: Final = str(Path(__file__).parents[2])
_STARTED_IN: Final = Path.cwd()
"""The jobs' main may be named by a relative path, and may change the folder later."""
_WITH_PACKAGES: Final = "import sys; sys.path.append(sys.argv[1]); "
_SUPERVISE: Final = "from background_jobs.worker.fresh_process import main; main(sys.argv[2])"


class Handover(NamedTuple):
    """What the outer process hands to an inner one."""

    current_attempt: SharedCurrentAttempt
    predecessor: Predecessor | None


def receive_handover() -> Handover | None:
    """Return what the parent of this process handed to it; None where it is no outer process."""
    text = os.environ.pop(_HANDOVER, None)
    if text is None:
        return None
    handed = json.loads(text)
    if handed["supervisor"] != os.getppid():
        return None
    current_attempt = SharedCurrentAttempt(handed["file"], handed["supervisor"])
    os.close(handed["file"])
    return Handover(current_attempt, _parse_predecessor(handed["predecessor"]))


def find_reason_not_to_fork() -> str:
    """Return what the jobs' main did that would not work in a fork of it; empty where a fork will do."""
    if not can_main_be_run_again():
        return ""
    if has_threads():
        return "started a thread"
    return "opened a socket" if has_socket() else ""


def become_supervisor(log_fields: Mapping[str, object] | None, *, may_grow: bool) -> NoReturn:
    """Replace this process by an outer process that runs the jobs' main again in a child.

    *log_fields* are in each of its log lines, which are JSON; None for lines for people. For *may_grow* see
    `supervise`.
    """
    become(_SUPERVISE, {"log_fields": log_fields, "may_grow": may_grow})


def become(program: str, job: Mapping[str, object]) -> NoReturn:
    """Replace this process by *program*, which has nothing of the jobs.

    It finds *job* as JSON in its second argument, with the command that runs the jobs' main.
    """
    # Until it has its handlers, SIGTERM would end it, or be lost where it is the first of its container.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    described = json.dumps({"command": [sys.executable, *sys.orig_argv[1:]], **job})
    os.chdir(_STARTED_IN)
    os.execv(sys.executable, [sys.executable, "-P", "-c", _WITH_PACKAGES + program, _PACKAGES, described])  # noqa: S606 -- itself


def main(job: str) -> NoReturn:
    """Supervise what `become_supervisor` describes in *job*."""
    described = json.loads(job)
    fields, command = described["log_fields"], described["command"]
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FOR_PEOPLE) if fields is None else JsonFormatter(lambda: fields))
    logging.basicConfig(level=logging.INFO, handlers=[handler])

    def spawn(current_attempt: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        handover = {
            "supervisor": os.getpid(),
            "file": current_attempt.file,
            "predecessor": predecessor and asdict(predecessor),
        }
        variables = {**os.environ, _HANDOVER: json.dumps(handover)}
        pid = os.posix_spawn(command[0], command, variables, setsigmask=[])
        os.close(current_attempt.file)
        return pid

    sys.exit(supervise(spawn, SharedCurrentAttempt.in_file, may_grow=described["may_grow"]))


def _parse_predecessor(fields: Mapping[str, Any] | None) -> Predecessor | None:
    if fields is None:
        return None
    blames = (Blame(**{**blame, "verdict": Verdict(blame["verdict"])}) for blame in fields["blames"])
    return Predecessor(**{**fields, "blames": tuple(blames)})


def can_main_be_run_again() -> bool:
    """Tell whether this process could run the jobs' main again, which may have come from standard input."""
    if not sys.executable or getattr(sys, "frozen", False):
        return False
    return hasattr(__main__, "__file__") or "-c" in sys.orig_argv
