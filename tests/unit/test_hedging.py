"""Which instances count as slow, and may run twice."""

from background_jobs.core.blocks import Block, InstanceRange, cut_bodies
from background_jobs.core.events import JobEvent
from background_jobs.core.hedging import find_running, hedge_after
from background_jobs.core.range_progress import RangeProgress
from tests.unit.histories import ORCHESTRATION_ID, attempt_failed, job_completed, job_started

RANGE = InstanceRange("billing", ORCHESTRATION_ID, 0, 9)


def running(*events: JobEvent) -> list[tuple[int, int]]:
    """Return index and attempt of what may run twice, where a range holds *events*."""
    (body,) = cut_bodies(events)
    progress = RangeProgress.of(RANGE, [Block(RANGE, 0, 0, "owner", body)])
    return [(one.index, one.attempt) for one in find_running([progress])]


def test_the_first_instances_never_count_as_slow() -> None:
    assert hedge_after([1.0] * 9) is None


def test_an_instance_is_slow_at_twice_the_time_of_nearly_all_others() -> None:
    assert hedge_after([3.0] * 20) == 6.0
    assert hedge_after([3.0] * 99 + [500.0]) == 6.0, "one that was slow makes no other less so"


def test_nothing_is_slow_that_takes_less_than_copying_it() -> None:
    assert hedge_after([0.01] * 20) == 1.0


def test_what_runs_may_run_twice_also_in_a_later_attempt() -> None:
    assert running(job_completed(0), job_started(1)) == [(1, 1)]
    assert running(job_started(0), attempt_failed(0), job_started(0, 2)) == [(0, 2)]
    assert running(job_started(0), attempt_failed(0)) == [], "it waits"


def test_what_may_have_ended_a_process_runs_nowhere_else() -> None:
    assert running(job_started(0), job_started(0, 2)) == []
    assert running(job_started(0), attempt_failed(0, counts=False), job_started(0, 2)) == []


def test_nothing_runs_twice_where_a_block_cannot_be_read() -> None:
    (body,) = cut_bodies([job_started(0)])
    blocks = [Block(RANGE, 0, 0, "owner", body), Block(RANGE, 1, 0, "owner", b'[{"type":"JobDanced"}]')]
    assert list(find_running([RangeProgress.of(RANGE, blocks)])) == []
