"""Stages that follow each other, over moto: what starts, what is skipped, and why."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from background_jobs import (
    InvalidKickOff,
    Orchestration,
    OrchestrationService,
    OrchestrationStatus,
    Pipeline,
    Stage,
    aio,
)
from background_jobs.aws.stores import Stores
from background_jobs.control_plane import kick_off_job
from background_jobs.core import ids
from background_jobs.core.invocations import StartStage
from background_jobs.core.options import KickOffOptions
from background_jobs.orchestration_service import rerun
from background_jobs.orchestration_service.kick_off import KickOffRequest, kick_off
from background_jobs.settings import Settings

PATIENCE = 30


@pytest.fixture
def run(
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    aggregate_completion: Callable[[], None],
) -> Callable[[Orchestration], None]:
    """Run an orchestration to its end, and handle its completion as the rule on the bus does."""

    def run(orchestration: Orchestration) -> None:
        if stores.event_log.read_started(orchestration.id).total:
            launch(orchestration)
        aggregate_completion()
        for _ in ("the completion", "the completion once more"):
            kick_off_job.start_next("default", orchestration.id, stores, settings)
        assert aggregate() == []

    return run


def kicked_off(service: OrchestrationService, numbers: list[Any], *stages: dict[str, Any]) -> Pipeline:
    then = None
    for stage in reversed(stages):
        then = Stage("halve", **stage, then=then)
    params = [{"n": n} for n in numbers]
    return service.kick_off_job(
        "halve", params, parallelism=1, tags={"customer": "acme"}, then=then
    ).pipeline()


def started(pipeline: Pipeline, number: int) -> Orchestration:
    orchestration = pipeline.stages()[number - 1].orchestration
    assert orchestration is not None
    return orchestration


def test_a_pipeline_has_the_same_stages_by_the_id_of_each(
    service: OrchestrationService, run: Callable[[Orchestration], None]
) -> None:
    # given stages of two jobs, of which the first has ended
    first = service.kick_off_job("halve", [{"n": 2}], parallelism=1, then=Stage("add_up"))
    run(first)
    # when the pipeline is asked for by the id of the second
    stages = service.pipeline(ids.next_stage_id(first.id)).stages()
    # then each stage has its own job
    assert [stage.job_name for stage in stages] == ["halve", "add_up"]
    assert [stage.orchestration and stage.orchestration.job_name for stage in stages] == ["halve", "add_up"]


def test_results_become_the_params_of_the_next_stage_which_inherits_tags_and_lineage(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8, 4], {"params": {"n": "$result"}, "parallelism": 1})
    run(started(pipeline, 1))

    second = started(pipeline, 2)
    event = stores.event_log.read_started(second.id)
    assert (event.parent_id, event.pipeline_id, event.stage, event.stages_left, event.tags) == (
        pipeline.id, pipeline.id, 2, 0, {"customer": "acme"},
    )  # fmt: skip
    assert pipeline.status() is OrchestrationStatus.IN_PROGRESS
    run(second)
    assert [success.result for success in pipeline.results(PATIENCE).successes] == [2, 1]
    assert (pipeline.status(), service.pipeline(second.id).id) == (OrchestrationStatus.COMPLETED, pipeline.id)


def test_a_failure_stops_the_pipeline_and_everything_after_says_why(
    service: OrchestrationService, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8, 3], {"params": {"n": "$result"}}, {})
    run(started(pipeline, 1))

    stages = pipeline.wait(PATIENCE)
    reason = "1 of 2 instances of stage 1 errored."
    assert [(stage.number, stage.skipped) for stage in stages] == [(1, None), (2, reason), (3, reason)]
    assert pipeline.status() is OrchestrationStatus.ERRORED


def test_the_pipeline_goes_on_with_the_successes_where_it_is_told_to(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8, 3], {"params": {"n": "$params.n"}, "on_failure": "continue"})
    run(started(pipeline, 1))
    second = started(pipeline, 2)
    assert stores.event_log.read_started(second.id).total == 1
    run(second)
    assert pipeline.status() is OrchestrationStatus.ERRORED, "an instance of its first stage did"


def test_fixed_params_do_not_ask_for_results(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8], {"params": [{"n": 2}, {"n": 6}]})
    run(started(pipeline, 1))
    second = stores.event_log.read_started(started(pipeline, 2).id)
    assert list(stores.payloads.lines(second.params_key)) == [b'{"n":2}', b'{"n":6}']


def test_params_that_cannot_be_made_skip_the_stage_and_name_the_instance(
    service: OrchestrationService, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8, 4], {"params": {"n": "$result.half"}})
    run(started(pipeline, 1))
    assert pipeline.stages()[1].skipped == "Instance 0 of the stage before has no $result.half."


def test_a_rerun_takes_the_pipeline_on_with_the_results_of_both(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    # given a pipeline that stopped because two of its params were odd
    pipeline = kicked_off(service, [8, 3, 4, 5], {"params": {"n": "$index"}})
    first = started(pipeline, 1)
    run(first)
    assert pipeline.status() is OrchestrationStatus.ERRORED
    # when they run again, with the same failures
    again = first.rerun()
    assert pipeline.status() is OrchestrationStatus.IN_PROGRESS
    run(again)
    assert pipeline.stages()[1].skipped == "2 of 4 instances of stage 1 errored."
    # then it is still stopped, and goes on when a rerun succeeds
    last = again.rerun()
    make_params_even(stores, last)
    run(last)
    second = stores.event_log.read_started(started(pipeline, 2).id)
    assert list(stores.payloads.lines(second.params_key)) == [b'{"n":%d}' % n for n in range(4)]


def make_params_even(stores: Stores, orchestration: Orchestration) -> None:
    """Replace the params of a rerun with even ones, which stands for code that can run the old ones."""
    started = stores.event_log.read_started(orchestration.id)
    stores.payloads.put(started.params_key, b'{"n":2}\n{"n":6}\n')


def test_a_rerun_that_comes_before_the_next_stage_is_decided_waits_for_that(  # noqa: PLR0913, PLR0917
    service: OrchestrationService,
    stores: Stores,
    settings: Settings,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a stage whose outcomes are folded, while its next stage is not decided yet
    pipeline = kicked_off(service, [2, 7], {"params": {"n": "$params.n"}})
    first = started(pipeline, 1)
    launch(first)
    assert aggregate() == []
    looks: list[float] = []

    def look_again(seconds: float) -> None:
        looks.append(seconds)
        kick_off_job.start_next("default", first.id, stores, settings)

    monkeypatch.setattr("background_jobs.orchestration_service.rerun.time.sleep", look_again)
    assert stores.event_log.read_started(first.rerun().id).then is not None
    assert len(looks) == 1


def test_a_rerun_is_refused_where_what_follows_is_not_decided_for_long(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = started(kicked_off(service, [7], {"params": {"n": "$params.n"}}), 1)
    launch(first)
    assert aggregate() == []
    monkeypatch.setattr(rerun, "_DECISION_SECONDS", 0)
    with pytest.raises(InvalidKickOff, match="not decided yet what follows"):
        first.rerun()


def test_awaiting_a_pipeline_holds_up_nothing_else(settings: Settings) -> None:
    async def cancelled_while_awaited() -> str:
        # given a single thread for all blocking calls
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        service = aio.OrchestrationService(settings)
        orchestration = await service.kick_off_job("halve", [{"n": 2}], then=Stage("halve"))
        pipeline = await orchestration.pipeline()
        waiting = [asyncio.create_task(pipeline.wait()), asyncio.create_task(pipeline.results())]
        await asyncio.sleep(0)
        found = await asyncio.wait_for(pipeline.cancel(), 60)
        for task in waiting:
            task.cancel()
        return found

    assert asyncio.run(cancelled_while_awaited()) == "requested"


def test_cancelling_keeps_the_next_stage_from_starting(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8], {}, {})
    assert pipeline.cancel("wrong month") == "requested"
    run(started(pipeline, 1))
    assert [stage.skipped for stage in pipeline.wait(PATIENCE)][1:] == ["The pipeline was cancelled."] * 2
    assert pipeline.cancel() == "already done"


def test_a_cancellation_between_two_stages_reaches_the_one_that_is_to_start(
    service: OrchestrationService, stores: Stores, launch: Callable[..., None], aggregate: Callable[[], list[Any]],
    settings: Settings,
) -> None:  # fmt: skip
    # given a first stage that has completed, while nobody has started the second
    pipeline = kicked_off(service, [8], {})
    launch(started(pipeline, 1))
    assert (aggregate(), aggregate()) == ([], [])
    # when it is cancelled before its completion is delivered
    assert pipeline.cancel() == "requested"
    kick_off_job.start_next("default", pipeline.id, stores, settings)
    aggregate()
    # then nothing is started, and nothing has errored
    assert pipeline.stages()[1].skipped == "The pipeline was cancelled."
    assert pipeline.status() is OrchestrationStatus.CANCELLED
    assert stores.event_log.for_service("default").read_cancelled(ids.next_stage_id(pipeline.id)) is not None


def test_a_stage_in_another_service_is_started_and_cancelled_there(
    service: OrchestrationService, stores: Stores, run: Callable[[Orchestration], None]
) -> None:
    # given two pipelines whose second stage is a job of another service
    other = {"service": "billing", "params": {"n": "$result"}, "parallelism": 1}
    pipelines = [kicked_off(service, [8], other) for _ in range(2)]
    # when one is cancelled before the second stage starts
    assert pipelines[1].cancel() == "requested"
    for pipeline in pipelines:
        run(started(pipeline, 1))
    # then the other goes on in that service, and its stages are found by its id alone
    billing = stores.event_log.for_service("billing")
    assert billing.read_started(ids.next_stage_id(pipelines[0].id)).service == "billing"
    assert started(pipelines[0], 2).summary().service == "billing"
    assert pipelines[1].stages()[1].skipped == "The pipeline was cancelled."
    assert billing.read_cancelled(ids.next_stage_id(pipelines[1].id)) is not None


def test_a_stage_whose_id_another_service_took_is_skipped_with_the_reason(
    service: OrchestrationService, stores: Stores, settings: Settings, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8], {})
    taken = KickOffRequest(
        job_name="halve", options=KickOffOptions(service="billing"), known_id=ids.next_stage_id(pipeline.id)
    )
    kick_off(taken, [], stores, settings)
    run(started(pipeline, 1))
    skipped = stores.event_log.read_skipped(pipeline.id)
    assert skipped is not None
    assert "differs in: the service, which is 'billing'" in skipped.reason


def test_a_rule_starts_a_stage_after_an_orchestration_that_knows_nothing_of_it(
    service: OrchestrationService, stores: Stores, settings: Settings, run: Callable[[Orchestration], None]
) -> None:
    first = service.kick_off_job("halve", [{"n": 8}], parallelism=1, tags={"customer": "acme"})
    run(first)
    stage = Stage("halve", params={"n": "$result"})
    for _ in ("the event", "the event once more"):
        request = StartStage(orchestration_id=first.id, rule="load-after-extract", stage=stage)
        kick_off_job.start_stage_of_rule(request, stores, settings)
    event = stores.event_log.read_started(ids.rule_stage_id(first.id, "load-after-extract"))
    assert (event.parent_id, event.pipeline_id, event.tags, event.total) == (
        first.id, None, {"customer": "acme"}, 1,
    )  # fmt: skip
    assert first.pipeline().stages()[0].number == len(first.pipeline().stages())


def test_watching_a_pipeline_goes_from_stage_to_stage(
    service: OrchestrationService, run: Callable[[Orchestration], None]
) -> None:
    pipeline = kicked_off(service, [8, 4], {"params": {"n": "$result"}, "parallelism": 1})
    seen = []
    for update in pipeline.watch(PATIENCE):
        seen.append((update.stage, update.update.summary.completed))
        if not update.update.summary.done:
            run(started(pipeline, update.stage))
    assert seen == [(1, 0), (1, 2), (2, 0), (2, 2)]


@pytest.mark.parametrize("stage", [{"parallelism": 101}, {"params": [{"n": "x" * 70_000}]}])
def test_stages_that_cannot_be_are_refused_at_kick_off(
    service: OrchestrationService, stage: dict[str, Any]
) -> None:
    with pytest.raises(InvalidKickOff):
        kicked_off(service, [1], stage)
