"""What is measured of a batch, and that nothing is measured twice."""

from collections.abc import Sequence

from background_jobs.core.completion import decide_completion
from background_jobs.core.events import Event
from background_jobs.core.fold import fold
from background_jobs.core.metrics import Measurement, Metric, cut_metric_sets, measure
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.statuses import StatusChunk
from tests.unit import histories
from tests.unit.histories import ORCHESTRATION_ID, at

EMPTY = ReadModel(Summary(orchestration_id=ORCHESTRATION_ID), {0: StatusChunk()})


def measure_batch(
    model: ReadModel, events: Sequence[Event], now: float
) -> tuple[ReadModel, dict[Metric, list[float]]]:
    result = fold(model, events)
    values: dict[Metric, list[float]] = {}
    for measurement in measure(model.summary, result, events, at(now)):
        values.setdefault(measurement.metric, []).append(measurement.value)
    return result.model, values


def test_outcomes_durations_and_waits_are_measured() -> None:
    events: list[Event] = [
        histories.started(3),
        histories.job_started(0, seconds=30),
        histories.job_completed(0, seconds=40).model_copy(update={"started_at": at(30)}),
        histories.job_errored(1, seconds=41),
    ]
    _, values = measure_batch(EMPTY, events, now=45)
    assert values == {
        Metric.INSTANCES_COMPLETED: [1],
        Metric.INSTANCES_ERRORED: [1],
        Metric.INSTANCE_DURATION: [10],
        Metric.AGGREGATOR_LAG: [15],
        Metric.QUEUE_WAIT: [30],
    }


def test_instances_whose_container_was_given_up_are_counted_among_the_errored() -> None:
    given_up = histories.job_errored(0)
    given_up = given_up.model_copy(
        update={"error": given_up.error.model_copy(update={"type": "NotLaunched"})}
    )
    events: list[Event] = [histories.started(2), given_up, histories.job_errored(1)]
    _, values = measure_batch(EMPTY, events * 2, now=9)
    assert values[Metric.INSTANCES_ERRORED] == [2]
    assert values[Metric.INSTANCES_NOT_LAUNCHED] == [1]


def test_what_comes_again_is_not_measured_again() -> None:
    events: list[Event] = [
        histories.started(1),
        histories.job_started(0),
        histories.job_completed(0, seconds=5),
    ]
    model, first = measure_batch(EMPTY, events, now=6)
    assert first[Metric.INSTANCES_COMPLETED] == [1]
    assert measure_batch(model, events, now=600)[1] == {}
    assert measure_batch(EMPTY, events * 2, now=6)[1][Metric.INSTANCES_COMPLETED] == [1]
    assert len(measure_batch(EMPTY, events * 2, now=6)[1][Metric.INSTANCE_DURATION]) == 1


def test_the_wait_is_measured_once_whichever_end_of_it_is_seen_first() -> None:
    model, first = measure_batch(EMPTY, [histories.job_started(0, seconds=8)], now=9)
    assert Metric.QUEUE_WAIT not in first
    model, second = measure_batch(model, [histories.started(2)], now=9)
    assert second == {Metric.QUEUE_WAIT: [8]}
    assert Metric.QUEUE_WAIT not in measure_batch(model, [histories.job_started(1, seconds=9)], now=9)[1]


def test_a_completed_orchestration_is_measured_when_its_completion_is_folded() -> None:
    model, _ = measure_batch(EMPTY, [histories.started(1), histories.job_completed(0, seconds=90)], now=91)
    completion = decide_completion(model.summary)
    assert completion is not None
    assert measure_batch(model, [completion], now=92)[1] == {
        Metric.ORCHESTRATIONS_COMPLETED: [1],
        Metric.ORCHESTRATION_DURATION: [90],
    }


def test_clocks_that_disagree_a_little_measure_nothing_below_zero() -> None:
    """An event has the time of the machine that wrote it, which may be ahead of ours."""
    _, values = measure_batch(EMPTY, [histories.started(1), histories.job_started(0, seconds=5)], now=4)
    assert values[Metric.AGGREGATOR_LAG] == [0]


def test_a_document_of_metrics_has_no_more_values_than_cloudwatch_takes() -> None:
    durations = [Measurement(Metric.INSTANCE_DURATION, n) for n in range(250)]
    sets = list(cut_metric_sets([*durations, Measurement(Metric.INSTANCES_COMPLETED, 250)]))
    assert [len(one[Metric.INSTANCE_DURATION]["Value"]) for one in sets] == [100, 100, 50]
    assert [value for one in sets for value in one[Metric.INSTANCE_DURATION]["Value"]] == list(range(250))
    assert [Metric.INSTANCES_COMPLETED in one for one in sets] == [True, False, False]


def test_nothing_measured_is_no_document() -> None:
    assert list(cut_metric_sets([])) == []
