"""Counting outcomes over time."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core.events import Event
from background_jobs.core.fold import fold
from background_jobs.core.read_model import FeedItem, ReadModel, Summary
from background_jobs.core.views.throughput import MOST_BUCKETS, Throughput, count_throughput
from tests.unit.histories import ORCHESTRATION_ID, at, histories, job_completed, job_errored, started


def count_after(*batches: Iterable[Event]) -> Throughput:
    """Fold each batch into a version, and count the outcomes of all."""
    model, feed = ReadModel(Summary(orchestration_id=ORCHESTRATION_ID)), []
    for version, batch in enumerate(batches, start=1):
        result = fold(model, batch)
        summary = result.model.summary.model_copy(update={"version": version})
        model = ReadModel(summary, {**model.chunks, **result.model.chunks}, result.model.progress)
        feed.append(FeedItem(version, 0, 0, 0, result.transitions, result.advances))
    return count_throughput(feed, model.summary)


def test_each_outcome_is_counted_in_the_bucket_of_its_time() -> None:
    throughput = count_after(
        [started(4), job_completed(0, seconds=1.2), job_completed(1, seconds=1.6)],
        [job_errored(2, seconds=2.3), job_completed(3, seconds=2.4)],
    )
    # the first attempt began at 0.2, a second before its end
    assert (throughput.version, throughput.began_at, throughput.bucket_seconds) == (2, at(0.2), 0.5)
    assert (throughput.completed, throughput.errored) == ([0, 0, 2, 0, 1], [0, 0, 0, 0, 1])


def test_what_was_committed_after_the_summary_was_read_is_left_to_the_stream() -> None:
    """The page adds the transitions of later versions, and would count these twice."""
    first = fold(ReadModel(Summary(orchestration_id=ORCHESTRATION_ID)), [started(2), job_completed(0)])
    later = fold(first.model, [job_completed(1)])
    summary = first.model.summary.model_copy(update={"version": 1})
    feed = [FeedItem(1, 0, 1, 0, first.transitions, ()), FeedItem(2, 0, 2, 0, later.transitions, ())]
    assert sum(count_throughput(feed, summary).completed) == 1


@given(histories(), st.floats(min_value=1, max_value=1e6))
def test_no_outcome_is_lost_and_the_buckets_are_few(events: list[Event], stretch: float) -> None:
    stretched = [
        event.model_copy(update={"at": at((event.at - at(0)).total_seconds() * stretch)}) for event in events
    ]
    throughput = count_after(stretched)
    ended = [event.type for event in events if event.type in {"JobCompleted", "JobErrored"}]
    assert sum(throughput.completed) == ended.count("JobCompleted")
    assert sum(throughput.errored) == ended.count("JobErrored")
    assert len(throughput.completed) == len(throughput.errored) <= MOST_BUCKETS
