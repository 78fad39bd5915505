"""Stages of all results, or of their items, and reruns that take along the stages that began without them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from background_jobs import (
    InvalidKickOff,
    Orchestration,
    OrchestrationService,
    OrchestrationStatus,
    Stage,
    job_name,
)
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import kick_off_job
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.ids import next_stage_id, rule_stage_id
from background_jobs.core.invocations import StartStage
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings

PATIENCE = 30


@job_name("read")
def read(params: dict[str, Any]) -> dict[str, Any]:
    """Read a number; where it is odd, only once its code was mended."""
    if params["n"] % 2:
        raise ValueError("odd")
    return {"n": params["n"]}


@job_name("read")
def read_mended(params: dict[str, Any]) -> dict[str, Any]:
    """Read any number but 5."""
    if params["n"] == 5:
        raise ValueError("five")
    return {"n": params["n"]}


@job_name("tenfold")
def tenfold(params: dict[str, Any]) -> dict[str, Any]:
    """Return ten times the number; 30 is too much."""
    if params["n"] == 3:
        raise ValueError("too much")
    return {"n": params["n"] * 10}


@job_name("tenfold")
def tenfold_mended(params: dict[str, Any]) -> dict[str, Any]:
    """Return ten times the number."""
    return {"n": params["n"] * 10}


@job_name("total")
def total(params: dict[str, Any]) -> int:
    """Add the numbers up."""
    return sum(params["numbers"])


@job_name("plan")
def plan(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what there is to do."""
    return [{"n": n} for n in range(params["upto"])]


@job_name("count")
def count(params: dict[str, Any]) -> int:
    """Count the results."""
    return len(params["of"])


BEFORE, AFTER = Jobs([read, tenfold, total]), Jobs([plan, read_mended, tenfold_mended, total])
TOTAL = Stage("total", {"numbers": "$results.n"}, on_failure="continue")
Run = Callable[..., list[Orchestration]]


@pytest.fixture
def run(
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
) -> Run:
    """Run an orchestration and the stages after it, each with its completion delivered twice."""

    def run(orchestration: Orchestration, jobs: Jobs = BEFORE) -> list[Orchestration]:
        started = stores.event_log.read_started(orchestration.id)
        for share in range(min(started.total, started.parallelism)):
            launch(orchestration, share, jobs)
        assert aggregate() == aggregate() == []  # the outcomes, and then the completion
        first, again = (
            kick_off_job.start_next("default", orchestration.id, stores, settings)
            for _ in ("the completion", "the completion once more")
        )
        assert first == again
        assert aggregate() == []
        if not first:
            return [orchestration]
        return [orchestration, *run(service.orchestration(next_stage_id(orchestration.id)), jobs)]

    return run


def kick_off(service: OrchestrationService, numbers: list[int], then: Stage | None) -> Orchestration:
    return service.kick_off_job("read", [{"n": n} for n in numbers], parallelism=1, then=then)


def results(orchestration: Orchestration) -> list[Any]:
    return [success.result for success in orchestration.results(PATIENCE).successes]


def test_a_stage_takes_the_results_of_all_in_one_instance(service: OrchestrationService, run: Run) -> None:
    stages = run(kick_off(service, [2, 4, 6], Stage("total", {"numbers": "$results.n", "of": ["$$", 1]})))
    assert [results(stage) for stage in stages[1:]] == [[12]]


def test_a_stage_has_an_instance_for_each_item_of_what_was_planned(
    service: OrchestrationService, run: Run
) -> None:
    # given a job that plans, jobs that do what it planned, and one that takes all of that
    then = Stage("tenfold", "items", then=Stage("total", {"numbers": "$results.n"}))
    planned = service.kick_off_job("plan", [{"upto": 3}, {"upto": 0}, {"upto": 2}], parallelism=1, then=then)
    # when they run
    _, tenfolds, totals = run(planned, AFTER)
    # then the items are in the order of the plans
    assert results(tenfolds) == [{"n": n} for n in (0, 10, 20, 0, 10)]
    assert results(totals) == [40]


def test_what_planned_no_list_has_no_next_stage_and_says_so(service: OrchestrationService, run: Run) -> None:
    (first,) = run(kick_off(service, [2], Stage("tenfold", "items")))
    reason = "The result of instance 0 of the stage before is {'n': 2} (dict), not a list, and has no items."
    assert first.pipeline().stages()[1].skipped == reason


def test_it_runs_where_there_is_no_result(service: OrchestrationService, run: Run) -> None:
    assert results(run(kick_off(service, [], TOTAL))[-1]) == [0]


def test_it_is_not_started_where_the_results_are_too_large_or_lack_the_field(
    service: OrchestrationService, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = run(kick_off(service, [2], Stage("total", {"numbers": "$results.m"})))[0]
    assert lacking.pipeline().stages()[1].skipped == "Instance 0 of the stage before has no $results.m."
    monkeypatch.setattr("background_jobs.core.limits.INSTANCE_PARAMS_BYTES", 20)
    large = run(kick_off(service, list(range(0, 40, 2)), Stage("total", {"numbers": "$results"})))[0]
    reason = large.pipeline().stages()[1].skipped
    assert reason is not None
    assert "All results of the stage before are more than the 20 bytes" in reason


def test_what_a_rerun_repairs_goes_on_alone_and_into_the_total_of_all(
    service: OrchestrationService, stores: Stores, run: Run
) -> None:
    # given stages that went on without 3 and 5
    first, *after = run(
        kick_off(service, [2, 3, 4, 5], Stage("tenfold", "results", on_failure="continue", then=TOTAL))
    )
    assert [results(stage) for stage in after] == [[{"n": 20}, {"n": 40}], [60]]
    # when what failed runs again with code that can read 3, and the next stages with it
    again, tenfolds, totals = run(first.rerun(next_stages=True), AFTER)
    # then 3 alone is multiplied, and the total is that of all
    assert (results(tenfolds), results(totals)) == ([{"n": 30}], [90])
    pipeline = service.pipeline(totals.id)
    assert pipeline.id == again.id
    assert [stage.orchestration and stage.orchestration.id for stage in pipeline.stages()] == [
        again.id, tenfolds.id, totals.id,
    ]  # fmt: skip
    assert [stage.orchestration and stage.orchestration.id for stage in first.pipeline().stages()] == [
        first.id, *(stage.id for stage in after),
    ]  # fmt: skip
    # and the merged results are those of the first stage
    assert [success.index for success in again.results(PATIENCE, merged=True).successes] == [0, 1, 2]
    assert stores.event_log.read_started(again.id).total == 2


def test_reruns_of_a_later_stage_and_of_what_a_rerun_began_are_in_the_total(
    service: OrchestrationService, run: Run
) -> None:
    # given 3 that was read by a rerun, and then failed in the next stage
    stages = Stage("tenfold", "results", on_failure="continue", then=TOTAL)
    first = run(kick_off(service, [2, 3, 4, 6], stages))[0]
    _, tenfolds, totals = run(first.rerun(next_stages=True), Jobs([read_mended, tenfold, total]))
    assert (results(tenfolds), results(totals)) == ([], [120])
    # when that stage runs again
    _, totals = run(tenfolds.rerun(next_stages=True), AFTER)
    # then its result is among all
    assert results(totals) == [150]


def test_a_pipeline_that_went_on_twice_has_its_results_once_in_the_total(
    service: OrchestrationService, run: Run
) -> None:
    # given a pipeline that stopped and went on from a rerun
    first = run(kick_off(service, [2, 3], Stage("tenfold", then=TOTAL)))[0]
    assert results(run(first.rerun(), AFTER)[-1]) == [50]
    # when everything runs once more
    assert results(run(first.rerun(only="all"), AFTER)[-1]) == [50]


def test_a_stage_that_stopped_after_such_a_rerun_goes_on_with_the_results_of_both(
    service: OrchestrationService, run: Run
) -> None:
    # given a rerun whose next stage stopped, for 3 failed in it
    stages = Stage(
        "tenfold", "results", on_failure="continue", then=Stage("total", {"numbers": "$results.n"})
    )
    first = run(kick_off(service, [2, 3, 7], stages))[0]
    again, tenfolds = run(first.rerun(next_stages=True), Jobs([read_mended, tenfold, total]))
    assert again.pipeline().stages()[2].skipped == "1 of 3 instances of stage 2 errored."
    # when that stage is repaired
    *_, totals = run(tenfolds.rerun(), AFTER)
    # then the pipeline of the rerun goes on with all
    assert results(totals) == [20 + 30 + 70]
    assert again.pipeline().results(PATIENCE).successes[0].result == 120


def test_what_went_on_already_does_not_go_on_twice(service: OrchestrationService, run: Run) -> None:
    # given 3 that has gone on after a rerun
    first = run(kick_off(service, [2, 3, 5], Stage("tenfold", "results", on_failure="continue")))[0]
    run(first.rerun(next_stages=True), AFTER)
    # when the next stages are asked for again
    again = run(
        first.rerun(next_stages=True), Jobs([tenfold_mended, job_name("read")(lambda params: params)])
    )
    # then 5 alone has them
    assert results(again[1]) == [{"n": 50}]
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        first.rerun(next_stages=True)


@pytest.mark.parametrize("only", ["completed", "all"])
def test_other_instances_than_what_failed_cannot_take_the_next_stages_along(
    service: OrchestrationService, run: Run, only: Any
) -> None:
    first = run(kick_off(service, [2, 3], Stage("tenfold", "results", on_failure="continue")))[0]
    with pytest.raises(
        InvalidKickOff, match=f"^With next_stages what failed runs again; leave out only='{only}'"
    ):
        first.rerun(only=only, next_stages=True)


def test_without_a_stage_that_follows_there_is_none_to_take_along(
    service: OrchestrationService, run: Run
) -> None:
    first = run(kick_off(service, [2, 3], None))[0]
    with pytest.raises(InvalidKickOff, match=f"No stage follows orchestration {first.id}"):
        first.rerun(next_stages=True)


def test_two_that_go_on_do_not_run_side_by_side(service: OrchestrationService, run: Run) -> None:
    # given a rerun that goes on and has not ended
    first = run(kick_off(service, [2, 3], Stage("tenfold", "results", on_failure="continue")))[0]
    again = first.rerun(next_stages=True, key="mended")
    # then another is refused, and the same one is the same
    with pytest.raises(InvalidKickOff, match=f"Rerun {again.id} still runs"):
        first.rerun(next_stages=True)
    assert first.rerun(next_stages=True, key="mended").id == again.id
    # and one may follow, where the first repaired nothing
    run(again)
    assert results(run(first.rerun(next_stages=True), AFTER)[-1]) == [{"n": 30}]


@pytest.mark.parametrize(
    ("on_failure", "options", "goes_on"),
    [("continue", {}, False), ("continue", {"next_stages": True}, True), ("stop", {}, True)],
)
def test_a_preview_says_whether_the_next_stages_follow(
    service: OrchestrationService, run: Run, on_failure: Any, options: Any, goes_on: Any
) -> None:
    stages = Stage("tenfold", "results", on_failure=on_failure, then=Stage("total"))
    preview = run(kick_off(service, [2, 3], stages))[0].preview_rerun(**options)
    assert (preview.next_stages, preview.goes_on) == (["tenfold", "total"], goes_on)


def test_what_a_rerun_without_the_next_stages_repaired_can_go_on_later(
    service: OrchestrationService, run: Run
) -> None:
    # given failures that ran again without the next stages
    stages = Stage("tenfold", "results", on_failure="continue", then=TOTAL)
    first = run(kick_off(service, [2, 3, 5], stages))[0]
    assert len(run(first.rerun(), AFTER)) == 1
    # when they are to go on
    again = run(first.rerun(next_stages=True), AFTER)
    # then what was repaired does, once
    assert results(again[1]) == [{"n": 30}]
    assert results(again[2]) == [50]
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        first.rerun(next_stages=True, indices=1)
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        first.rerun(next_stages=True, indices=0)


def test_a_rerun_is_not_what_takes_them_along(service: OrchestrationService, run: Run) -> None:
    # given two reruns of the same failure, of which one has repaired it
    first = run(kick_off(service, [2, 3], Stage("tenfold", "results", on_failure="continue")))[0]
    again = run(first.rerun(next_stages=True))[0]
    run(first.rerun(next_stages=True), AFTER)
    # when the other one is to run again with the next stages, which would multiply 3 once more
    with pytest.raises(InvalidKickOff, match=f"is a rerun: run {first.id} again with next_stages"):
        again.rerun(next_stages=True)


def test_where_the_pipeline_stopped_a_rerun_goes_on_by_itself(
    service: OrchestrationService, run: Run
) -> None:
    first = run(kick_off(service, [2, 3], Stage("tenfold")))[0]
    with pytest.raises(InvalidKickOff, match=f"stopped at orchestration {first.id}, so a rerun goes on"):
        first.rerun(next_stages=True)


def test_a_cancelled_rerun_leaves_what_it_was_to_take_along_to_the_next(
    service: OrchestrationService, stores: Stores, run: Run
) -> None:
    # given a rerun that was cancelled before anything ran, and another that repaired the same
    stages = Stage("tenfold", "results", on_failure="continue", then=TOTAL)
    first = run(kick_off(service, [2, 3], stages))[0]
    cancelled = first.rerun(next_stages=True)
    cancelled.cancel()
    run(cancelled)
    run(first.rerun(next_stages=True), AFTER)
    # when the cancelled one runs again
    again = run(cancelled.rerun(), AFTER)
    # then nothing goes on twice
    assert len(again) == 1


def test_what_a_cancelled_rerun_completed_goes_on_with_the_next(
    service: OrchestrationService, stores: Stores, launch: Callable[..., None], run: Run
) -> None:
    # given a rerun that was cancelled when one of its two instances had completed
    stages = Stage("tenfold", "results", on_failure="continue", then=TOTAL)
    first = run(kick_off(service, [2, 3, 7], stages))[0]
    cancelled = first.rerun(next_stages=True, parallelism=2)
    launch(cancelled, 0, AFTER)
    cancelled.cancel()
    assert len(run(cancelled)) == 1
    # when the next one runs
    again = run(first.rerun(next_stages=True), AFTER)
    # then both go on
    assert [results(stage) for stage in again[1:]] == [[{"n": 30}, {"n": 70}], [120]]


def test_the_total_waits_for_what_failed_in_another_pipeline(service: OrchestrationService, run: Run) -> None:
    # given a stage of all results that stops, for 3 failed before it in the first pipeline
    total_of_all = Stage("total", {"numbers": "$results.n"})
    stages = Stage("tenfold", "results", on_failure="continue", then=total_of_all)
    tenfold_of_all_but_3 = Jobs([read_mended, tenfold])
    first, tenfolds = run(kick_off(service, [2, 3, 5], stages), tenfold_of_all_but_3)
    # when a rerun repairs 5
    again = run(
        first.rerun(next_stages=True), Jobs([tenfold_mended, job_name("read")(lambda params: params)])
    )
    # then it does not add up without 3, and says so
    assert len(again) == 2
    assert again[0].pipeline().stages()[2].skipped == "1 of 3 instances of stage 2 errored."
    # and once that is repaired it does
    assert results(run(tenfolds.rerun(), AFTER)[-1]) == [100]


@pytest.mark.parametrize("stage", [Stage("total", {"numbers": "$results.n"}), Stage("plan", [{"upto": 3}])])
def test_what_took_the_place_of_something_does_not_add_up_with_it(
    service: OrchestrationService, run: Run, stage: Stage
) -> None:
    # given a stage that runs once more after a rerun, not for what was repaired alone
    then = replace(stage, on_failure="continue", then=Stage("count", {"of": "$results"}))
    jobs = Jobs([plan, read_mended, total, count])
    first, _, before = run(kick_off(service, [2, 3], then), Jobs([plan, read, total, count]))
    # when it does
    *_, after = run(first.rerun(next_stages=True), jobs)
    # then the stage after it gets the new results alone
    assert results(before) == results(after) == [1]


def test_the_rerun_that_completes_last_has_the_pipeline_and_the_total(
    service: OrchestrationService, run: Run
) -> None:
    # given two reruns of a stopped stage, of which the one that began first ends last
    first = run(kick_off(service, [2, 3, 7], Stage("tenfold", then=TOTAL)))[0]
    slow, fast = first.rerun(indices=1), first.rerun(indices=2)
    run(fast, AFTER)
    totals = run(slow, AFTER)[-1]
    # then the pipeline goes on from it
    assert results(totals) == [120]
    assert results(first.pipeline().stages()[2].orchestration or first) == [120]


def test_of_two_reruns_that_went_on_each_total_is_of_its_own(service: OrchestrationService, run: Run) -> None:
    # given a stopped stage and two reruns of all of it, of which the one that began first ends last
    first = run(kick_off(service, [2, 3], Stage("tenfold", then=Stage("total", {"numbers": "$results.n"}))))[
        0
    ]
    slow, fast = first.rerun(only="all"), first.rerun(only="all")
    # when the next stage fails after the fast one
    assert len(run(fast, Jobs([read_mended, tenfold]))) == 2
    # then the total of the slow one, whose next stage does not, has all
    assert results(run(slow, AFTER)[-1]) == [50]


def test_a_pipeline_that_stopped_goes_on_while_a_rerun_of_a_part_runs(
    service: OrchestrationService, run: Run
) -> None:
    # given two reruns of parts of a stopped stage, of which the one that began last has ended
    first = run(kick_off(service, [2, 3, 7], Stage("tenfold")))[0]
    slow, fast = first.rerun(indices=1), first.rerun(indices=2)
    run(fast, AFTER)
    # then the pipeline still runs, in the other one
    pipeline = first.pipeline()
    assert pipeline.status() is OrchestrationStatus.IN_PROGRESS
    assert [stage.orchestration and stage.orchestration.id for stage in pipeline.stages()] == [slow.id, None]


def test_a_stage_of_a_rule_takes_all_that_completed_by_a_rerun_with_next_stages(
    service: OrchestrationService, stores: Stores, settings: Settings, run: Run
) -> None:
    # given a rule whose stage did not start, for 3 errored
    first = run(kick_off(service, [2, 3], Stage("total", {"numbers": "$results.n"}, on_failure="continue")))[
        0
    ]
    # when it is repaired in a pipeline of its own
    again = run(first.rerun(next_stages=True), AFTER)[0]
    rule = StartStage(orchestration_id=again.id, rule="Tenfold", stage=Stage("tenfold"))
    kick_off_job.start_stage_of_rule(rule, stores, settings)
    # then the stage has what completed before, too
    assert results(run(service.orchestration(rule_stage_id(again.id, "Tenfold")), AFTER)[0]) == [
        {"n": 20},
        {"n": 30},
    ]


def test_a_total_whose_pipeline_has_expired_is_skipped_and_says_so(
    service: OrchestrationService, stores: Stores, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a stage that went on without 3, whose own first stage is gone
    then = Stage("tenfold", "results", on_failure="continue", then=TOTAL)
    first, tenfolds, _ = run(kick_off(service, [2, 3, 6], then), Jobs([read_mended, tenfold, total]))
    again = tenfolds.rerun(next_stages=True)
    read = stores.event_log.read_started

    def read_what_is_left(orchestration_id: str) -> OrchestrationStarted:
        if orchestration_id == first.id:
            raise OrchestrationNotFound(orchestration_id)
        return read(orchestration_id)

    monkeypatch.setattr(stores.event_log, "read_started", read_what_is_left)
    # when it runs again
    run(again, AFTER)
    # then the total is not of a part
    assert again.pipeline().stages()[1].skipped == (
        "Its pipeline began so long ago that not all results are there."
    )
