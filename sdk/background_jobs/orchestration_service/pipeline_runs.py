"""The status of runs that may have several stages: an orchestration, and those that followed it."""

from collections.abc import Iterable, Sequence

from background_jobs.aws.stores import Stores
from background_jobs.core import ids
from background_jobs.core.read_model import Summary
from background_jobs.core.stages import PIPELINE_CANCELLED
from background_jobs.core.statuses import OrchestrationStatus


def read_stages(
    orchestration_ids: Iterable[str], stores: Stores, *, consistent: bool = False
) -> dict[str, list[Summary]]:
    """Return, by the id of its first, the summaries of the stages of each run that have started so far.

    A run that is not in the read model, not yet or not any more, is left out. It takes one read for each
    stage, however many the runs are.
    """
    stages: dict[str, list[Summary]] = {}
    current = {run: run for run in orchestration_ids}
    while current:
        summaries = stores.history.summaries(list(current.values()), consistent=consistent)
        by_id = {summary.orchestration_id: summary for summary in summaries}
        current = {run: stage for run, stage in current.items() if stage in by_id}
        for run, stage in current.items():
            stages.setdefault(run, []).append(by_id[stage])
        current = {
            run: ids.next_stage_id(stage)
            for run, stage in current.items()
            if by_id[stage].next_stage_expected
        }
    return stages


def combine_statuses(stages: Sequence[Summary]) -> OrchestrationStatus:
    """Return the one status of a run whose *stages* have started."""
    last = stages[-1]
    if last.next_stage_expected or not last.done:
        return OrchestrationStatus.IN_PROGRESS
    cancelled = any(stage.status is OrchestrationStatus.CANCELLED for stage in stages)
    if cancelled or last.next_skipped == PIPELINE_CANCELLED:  # after the outcomes of that stage
        return OrchestrationStatus.CANCELLED
    errored = last.next_skipped or any(stage.errored for stage in stages)
    return OrchestrationStatus.ERRORED if errored else OrchestrationStatus.COMPLETED
