"""The judgement on the attempt that ended the process before this one, and on instances that do so again."""

from background_jobs.core.events import JobError, JobEvent
from background_jobs.worker.earlier_launches import LOSSES_OF_A_POISON, LOST
from background_jobs.worker.instance import Attempt, AttemptLimit, InstanceRunner
from background_jobs.worker.supervisor import Blame


def judge_lost_attempt(
    blame: Blame, attempt: Attempt, runner: InstanceRunner, limit: AttemptLimit
) -> JobEvent:
    """Return the event of the attempt that *blame* names: it failed and another follows, or it was the last.

    The supervisor saw how the attempt ended, so its start is taken out of the earlier attempts: it must not
    count as a loss whose end nobody knows.
    """
    attempt.earlier.starts.discard(blame.attempt)
    if blame.timed_out:
        return runner.decide_after_timeout(attempt, limit)
    error = JobError(type=LOST, message=f"The process of this instance ended: {blame.reason}.")
    if attempt.earlier.losses + 1 >= LOSSES_OF_A_POISON:
        return runner.decide_after_failure(attempt, error, retry_in_seconds=None)
    # A lost process takes none of the attempts that the job's Retry allows.
    failure = runner.decide_after_failure(attempt, error, retry_in_seconds=0)
    return failure.model_copy(update={"counts": False})


def poison_error(losses: int) -> JobError:
    """Return why an instance is left out that ended its process *losses* times."""
    return JobError(
        type=LOST,
        message=f"The container ended {losses} times while this instance ran, so it was left out; "
        "the rest of its share went on. Out of memory looks like this.",
    )
