"""The judgement on the attempt that ended the process before this one, and on instances that do so again."""

from typing import Final

from background_jobs.core.events import JobError, JobEvent
from background_jobs.worker.blame import Blame, Verdict
from background_jobs.worker.earlier_launches import INTERRUPTED, LOSSES_OF_A_POISON, LOST, SUSPECTED
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner


def judge_lost_attempt(
    blame: Blame, attempt: Attempt, runner: InstanceRunner, limit: AttemptLimit
) -> JobEvent:
    """Return the event of the attempt that *blame* names: it failed and another follows, or it was the last.

    The supervisor saw how the attempt ended, so its start is taken out of the earlier attempts: it must not
    count as a loss whose end nobody knows.
    """
    attempt.earlier.starts.pop(blame.attempt, None)
    if blame.verdict is Verdict.TIMED_OUT:
        return runner.decide_after_timeout(attempt, limit)
    if blame.verdict is not Verdict.LOST:
        return _handed_back(runner, attempt, _COMPANY[blame.verdict](blame.reason))
    error = JobError(type=LOST, message=f"The process of this instance ended: {blame.reason}.")
    if attempt.earlier.losses + 1 >= LOSSES_OF_A_POISON:
        return runner.decide_after_failure(attempt, error, retry_in_seconds=None)
    # A lost process takes none of the attempts that the job's Retry allows.
    return _handed_back(runner, attempt, error)


def _handed_back(runner: InstanceRunner, attempt: Attempt, error: JobError) -> JobEvent:
    """Return that the attempt ended without taking one from its job."""
    failure = runner.decide_after_failure(attempt, error, retry_in_seconds=0)
    return failure.model_copy(update={"counts": False})


def _suspected_error(reason: str) -> JobError:
    """Return why an attempt ended that may have ended the process, and so may others."""
    return JobError(
        type=SUSPECTED,
        message=f"The process of this instance and of others ended: {reason}. "
        "Each of them runs alone next, to find out which one ended it.",
    )


def _interrupted_error(reason: str) -> JobError:
    return JobError(type=INTERRUPTED, message=f"The process of this instance was ended: {reason}.")


_COMPANY: Final = {Verdict.SUSPECTED: _suspected_error, Verdict.INTERRUPTED: _interrupted_error}


def poison_error(losses: int) -> JobError:
    """Return why an instance is left out that ended its process *losses* times."""
    return JobError(
        type=LOST,
        message=f"The container ended {losses} times while this instance ran, so it was left out; "
        "the rest of its share went on. Out of memory looks like this.",
    )
