"""Who is to blame for the end of a process of jobs: what it says of the attempts that ran in it."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from background_jobs.worker.current_attempt import CurrentAttempt


class Verdict(StrEnum):
    """What the end of a process says of an attempt that ran in it."""

    LOST = "lost"
    """It ran alone, so it ended the process."""
    TIMED_OUT = "timed out"
    """The process was ended because of it."""
    SUSPECTED = "suspected"
    """It may have ended the process, and so may others that ran at the same time."""
    INTERRUPTED = "interrupted"
    """The process was ended because of another one."""


@dataclass(frozen=True, slots=True)
class Blame:
    """An attempt that ran when the process of the jobs ended."""

    index: int
    attempt: int
    reason: str
    verdict: Verdict = Verdict.LOST


def judge(
    running: Sequence[CurrentAttempt],
    code: int,
    late: Sequence[CurrentAttempt],
    *,
    is_own_failure: bool,
    is_held: bool = False,
) -> tuple[Blame, ...]:
    """Return the judgement on the attempts that ran when a process ended with *code*.

    *late* are those for which it was killed. One may have ended just before that; then another that began
    after it lost its process, but did not time out. Where the interpreter *is_held*, nobody could notice a
    timeout, and it cannot be told who held it.
    """
    if is_held and len(running) > 1:
        reason = "one of them held the interpreter past a timeout"
        return tuple(Blame(current.index, current.attempt, reason, Verdict.SUSPECTED) for current in running)
    late = [current for current in running if current in late]
    if late or len(running) > 1:
        return tuple(_judge_one(current, code, late) for current in running)
    if is_own_failure:
        # Its start without an end is in the log, so it is left out where our own code fails with it again.
        return ()
    return tuple(Blame(current.index, current.attempt, describe_code(code)) for current in running)


def _judge_one(current: CurrentAttempt, code: int, late: Sequence[CurrentAttempt]) -> Blame:
    if current in late:
        reason, verdict = "it was stopped by force, for it did not notice its timeout", Verdict.TIMED_OUT
    elif late:
        others = ", ".join(str(other.index) for other in late)
        reason = f"instance {others} did not notice its timeout, and was stopped by force"
        verdict = Verdict.INTERRUPTED
    else:
        reason, verdict = describe_code(code), Verdict.SUSPECTED
    return Blame(current.index, current.attempt, reason, verdict)


def describe_end(blames: Sequence[Blame], code: int) -> str:
    """Return in words that a process ended with *code*, and who is to blame."""
    culprits = [blame for blame in blames if blame.verdict is not Verdict.INTERRUPTED]
    if not culprits:
        return f"The process of the jobs ended between two attempts ({describe_code(code)})"
    if len(culprits) == 1:
        return f"Instance {culprits[0].index} ended its process ({culprits[0].reason})"
    indices = ", ".join(str(blame.index) for blame in culprits)
    return f"One of the instances {indices} ended their process ({culprits[0].reason})"


def describe_code(code: int) -> str:
    """Return in words how a process ended: with which exit code, or by which signal where it is negative."""
    if code >= 0:
        return f"exit code {code}"
    hint = "; out of memory looks like this" if -code == signal.SIGKILL else ""
    return f"signal {-code}, {signal.strsignal(-code)}{hint}"
