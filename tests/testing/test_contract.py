"""The contract: what the twin does as the offline stack does, each asserted of both."""

import uuid

import pytest

from background_jobs import (
    InvalidKickOff,
    InvalidParams,
    KickOffConflict,
    OrchestrationStatus,
    ScheduleState,
    Stage,
    Status,
    UnknownJobName,
)
from background_jobs.core.ids import job_id
from tests.testing.conftest import PATIENCE, Caller
from tests.testing.jobs import Numbers, Total, fussy


def test_results_are_in_the_order_of_the_params(caller: Caller) -> None:
    params = [Numbers(values=[n, n + 1]) for n in range(5)]

    orchestration = caller.service.kick_off_job(Total, params, parallelism=2, tags={"customer": "acme"})
    successes, failures = orchestration.results(PATIENCE)

    assert failures is None
    assert [success.params for success in successes] == [one.model_dump() for one in params]
    assert [success.result for success in successes] == [
        {"total": 2 * n + 1, "index": n, "customer": "acme"} for n in range(5)
    ]
    assert [success.job_id for success in successes] == [job_id(orchestration.id, n) for n in range(5)]


def test_a_failure_has_its_params_and_blocks_no_sibling(caller: Caller) -> None:
    params: list[dict[str, object]] = [{"n": 0}, {"bad": "apple"}, {"n": 2}]

    successes, failures = caller.service.kick_off_job(fussy, params, parallelism=1).results(PATIENCE)

    assert [success.index for success in successes] == [0, 2]
    assert failures is not None
    (failure,) = failures
    assert (failure.index, failure.params, failure.attempts) == (1, {"bad": "apple"}, 1)
    assert (failure.job_name, failure.error.type, failure.error.message) == (
        "fussy",
        "ValueError",
        "apple is bad",
    )
    assert failure.error.traceback.splitlines()[0] == "Traceback (most recent call last):"
    assert "background_jobs/" not in failure.error.traceback
    assert failure.error.traceback.splitlines()[-1] == "ValueError: apple is bad"


def test_the_bus_hears_of_the_end(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("fussy", [{}, {"bad": "pear"}], tags={"customer": "acme"})

    event = caller.completion(orchestration)

    assert (event.job_name, event.service, event.outcome) == ("fussy", "default", "Errored")
    assert (orchestration.status(), orchestration.done()) == (OrchestrationStatus.ERRORED, True)
    assert (event.total, event.completed, event.errored) == (2, 1, 1)
    assert (event.tags, event.stages_left) == ({"customer": "acme"}, 0)
    assert event.completed_at >= event.started_at


@pytest.mark.parametrize(
    ("how", "attempts", "outcome"),
    [
        ("twice", 3, 3),
        ("later", 2, 2),
        ("always", 3, "OSError"),
        ("lookup", 1, "KeyError"),
        ("give up", 1, "background_jobs.GiveUp"),
    ],
)
def test_attempts_follow_as_the_retry_of_the_job_says(
    caller: Caller, how: str, attempts: int, outcome: int | str
) -> None:
    orchestration = caller.service.kick_off_job("flaky", [{"how": how}])

    (ended,) = orchestration.as_completed(PATIENCE)

    assert ended.attempts == attempts
    assert outcome == (ended.result if isinstance(outcome, int) else ended.error.type)  # type: ignore[union-attr]
    failed = [event for event in orchestration.instance(0).events if event.type == "JobAttemptFailed"]
    assert [event.attempt for event in failed] == list(range(1, attempts))


@pytest.mark.parametrize("job", ["slow", "coroutine"])
def test_an_attempt_that_takes_too_long_times_out(caller: Caller, job: str) -> None:
    successes, failures = caller.service.kick_off_job(job, [{"seconds": 0}, {"seconds": 60}]).results(
        PATIENCE
    )

    assert [success.result for success in successes] == ["in time"]
    assert failures is not None
    assert [(failure.error.type, failure.error.message) for failure in failures] == [
        ("AttemptTimeout", "The attempt took longer than its timeout of 1 s.")
    ]


def test_the_timeout_of_an_orchestration_ends_all_of_it(caller: Caller) -> None:
    params = [{"seconds": 600}, {"seconds": 600}]

    successes, failures = caller.service.kick_off_job("sleepy", params, parallelism=1, timeout=6).results(
        PATIENCE
    )

    assert not successes
    assert failures is not None
    assert [failure.error.type for failure in failures] == ["OrchestrationTimeout"] * 2
    assert [failure.attempts for failure in failures] == [1, 0]


def test_an_instance_that_ends_its_process_twice_is_left_out(caller: Caller) -> None:
    params = [{}, {"exit": True}, {}]

    successes, failures = caller.service.kick_off_job("exit", params, parallelism=1).results(PATIENCE)

    assert [success.index for success in successes] == [0, 2]
    assert failures is not None
    (failure,) = failures
    assert (failure.index, failure.error.type, failure.attempts) == (1, "ContainerLost", 2)
    assert failure.error.message == "The process of this instance ended: exit code 9."


def test_a_result_that_no_json_can_hold_is_a_failure(caller: Caller) -> None:
    _, failures = caller.service.kick_off_job("odd", [{}]).results(PATIENCE)

    assert failures is not None
    assert failures[0].error.type == "background_jobs.core.errors.InvalidResult"


def test_an_empty_array_completes_at_once(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("fussy", [])

    results = orchestration.results(PATIENCE)

    assert (list(results.successes), results.failures) == ([], None)
    assert caller.completion(orchestration).total == 0


def test_an_unknown_job_is_refused(caller: Caller) -> None:
    with pytest.raises(UnknownJobName, match="nowhere"):
        caller.service.kick_off_job("nowhere", [{}])


def test_an_unknown_service_is_refused(caller: Caller) -> None:
    with pytest.raises(InvalidKickOff, match="nowhere"):
        caller.service.kick_off_job("fussy", [{}], service="nowhere")


def test_params_that_do_not_fit_the_job_are_refused(caller: Caller) -> None:
    with pytest.raises(InvalidParams, match="values"):
        caller.service.kick_off_job(Total, [{"values": "many"}])  # type: ignore[arg-type] # the point


def test_params_that_only_the_container_can_check_are_a_failure(caller: Caller) -> None:
    _, failures = caller.service.kick_off_job("total", [{"values": "many"}]).results(PATIENCE)

    assert failures is not None
    assert failures[0].error.type == "background_jobs.GiveUp"
    assert failures[0].error.message.startswith(
        "The params do not fit the job 'total': values='many' must be"
    )


def test_the_same_key_is_the_same_orchestration(caller: Caller) -> None:
    key = str(uuid.uuid4())
    first = caller.service.kick_off_job("double", [{"n": 1}], key=key)

    second = caller.service.kick_off_job("double", [{"n": 1}], key=key)
    with pytest.raises(KickOffConflict, match="the params"):
        caller.service.kick_off_job("double", [{"n": 2}], key=key)

    assert second.id == first.id
    assert [success.result for success in second.results(PATIENCE).successes] == [2]


def test_what_was_cancelled_ends_as_cancelled(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("sleepy", [{"seconds": 600}] * 3, parallelism=1)

    answer = orchestration.cancel("wrong month")
    successes, failures = orchestration.results(PATIENCE)
    again = orchestration.cancel()

    assert (answer.value, again.value) == ("requested", "already done")
    assert not successes
    assert failures is not None
    assert [(failure.error.type, failure.error.message) for failure in failures] == [
        ("Cancelled", "wrong month")
    ] * 3
    assert caller.completion(orchestration).outcome == "Cancelled"


def test_a_stage_follows_with_the_results_of_the_one_before(caller: Caller) -> None:
    stage = Stage("double", params={"n": "$result"})

    first = caller.service.kick_off_job("double", [{"n": 1}, {"n": 2}], then=stage, tags={"customer": "acme"})
    first.pipeline().wait(PATIENCE)
    second = first.pipeline().stages()[-1].orchestration

    assert second is not None
    assert [success.result for success in second.results(PATIENCE).successes] == [4, 8]
    summary = second.summary()
    assert (summary.parent_id, summary.pipeline_id, summary.stage) == (first.id, first.id, 2)
    assert summary.tags == {"customer": "acme"}


def test_a_stage_after_failures_is_skipped(caller: Caller) -> None:
    stage = Stage("double", params={"n": "$result"})
    first = caller.service.kick_off_job("fussy", [{"bad": "fig"}], then=stage)

    first.pipeline().wait(PATIENCE)
    *_, last = first.pipeline().view().stages

    assert last.skipped == "1 of 1 instances of stage 1 errored."


def test_failures_run_again(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("fussy", [{}, {"bad": "plum"}])
    orchestration.results(PATIENCE)

    rerun = orchestration.rerun(params={"bad": ""})
    successes, failures = rerun.results(PATIENCE)
    merged = orchestration.results(PATIENCE, merged=True)

    assert failures is None
    assert [success.params for success in successes] == [{"bad": ""}]
    assert [success.index for success in merged.successes] == [0, 1]


def test_events_tell_what_happened_to_an_orchestration(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("double", [{"n": 1}])
    caller.completion(orchestration)

    history = orchestration.event_history()
    (page,) = [orchestration.instance(0)]

    assert {entry.type for entry in history.timeline} == {
        "OrchestrationStarted",
        "ContainerStarted",
        "ContainerEnded",
        "OrchestrationCompleted",
    }
    assert [(launch.first, launch.last, launch.status) for launch in history.launches] == [(0, 0, 0)]
    assert (history.lost, history.failed_attempts, history.waits) == (0, 0, [])
    assert [(event.type, event.attempt) for event in page.events][-1] == ("JobCompleted", 1)


def test_the_history_has_what_was_kicked_off(caller: Caller) -> None:
    customer = str(uuid.uuid4())
    orchestration = caller.service.kick_off_job("double", [{"n": 1}], tags={"customer": customer})
    orchestration.wait(PATIENCE)

    summaries, token = caller.service.history(customer=customer, job_name="double")

    assert ([summary.orchestration_id for summary in summaries], token) == ([orchestration.id], None)
    assert caller.service.find_id(orchestration.id[:12]) == orchestration.id


def test_the_history_is_asked_for_what_no_index_has(caller: Caller) -> None:
    # given an orchestration whose customer has an empty name
    run, long = str(uuid.uuid4()), "é" * 1_100
    orchestration = caller.service.kick_off_job("double", [{"n": 1}], tags={"run": run, "customer": ""})
    orchestration.wait(PATIENCE)
    # then it is found by that name, and nothing by a name that is too long, or by an empty one of a job
    found = caller.service.history(customer="", tags={"run": run}).summaries
    assert [summary.orchestration_id for summary in found] == [orchestration.id]
    assert caller.service.history(customer=long).summaries == []
    for name in ("", long):
        assert caller.service.history(job_name=name).summaries == []


def test_what_is_watched_tells_of_each_change_and_ends(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("fussy", [{}, {"bad": "date"}])

    *_, last = orchestration.watch(PATIENCE)

    assert (last.summary.completed, last.summary.errored, last.summary.all_final) == (1, 1, True)


@pytest.mark.parametrize(("times", "attempts"), [(1, [1, 2, 1]), (2, [1, 1])])
def test_a_lost_container_costs_no_sibling_its_outcome(
    caller: Caller, times: int, attempts: list[int]
) -> None:
    params = [{}, caller.lose_container(1, times), {}]

    orchestration = caller.service.kick_off_job("victim", params, parallelism=1)
    successes, failures = orchestration.results(PATIENCE)

    assert [success.result for success in successes] == attempts
    lost = [(failure.index, failure.error.type, failure.attempts) for failure in failures or ()]
    assert lost == [(1, "ContainerLost", 2)] * (times - 1)
    assert orchestration.event_history().lost == times
    delays = [entry for entry in orchestration.event_history().timeline if entry.type == "ShareDelayed"]
    assert len(delays) == times


def test_large_params_and_results_come_back_equal(caller: Caller) -> None:
    params = [{"text": "x" * 500_000}, {"text": "y"}]

    successes, failures = caller.service.kick_off_job("echo", params).results(PATIENCE)

    assert ([success.result for success in successes], failures) == (params, None)


def test_a_failure_tells_of_its_failed_attempts(caller: Caller) -> None:
    _, failures = caller.service.kick_off_job("flaky", [{"how": "always"}]).results(PATIENCE)

    assert failures is not None
    (failure,) = failures
    assert [(failed.attempt, failed.type, failed.message) for failed in failure.failed_attempts] == [
        (1, "OSError", "gone"),
        (2, "OSError", "gone"),
    ]


def test_causes_pages_and_counts_tell_of_the_same_failures(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("fussy", [{}, {"bad": "fig"}, {"bad": "fig"}])
    orchestration.wait(PATIENCE)

    (cause,) = orchestration.causes().items
    first, second = (
        orchestration.instances(Status.ERRORED, limit=1),
        orchestration.failures(cause=cause.cause_id),
    )

    assert (cause.count, cause.type) == (2, "ValueError")
    assert [view.index for view in first.items] == [1]
    assert first.next_token is not None
    assert [view.index for view in second.items] == [1, 2]
    assert [view.index for view in orchestration.successes().items] == [0]


def test_a_pipeline_goes_on_after_failures_that_it_allows(caller: Caller) -> None:
    stage = Stage("double", params=[{"n": 3}], on_failure="continue")

    pipeline = caller.service.kick_off_job("fussy", [{"bad": "fig"}], then=stage).pipeline()

    assert [success.result for success in pipeline.results(PATIENCE).successes] == [6]
    assert [stage.skipped for stage in pipeline.stages()] == [None, None]


def test_what_a_rerun_repairs_comes_into_the_stage_of_all_results(caller: Caller) -> None:
    stage = Stage("echo", {"heard": "$results"}, on_failure="continue")
    first = caller.service.kick_off_job("fussy", [{}, {"bad": "fig"}], then=stage)
    before = first.pipeline().results(PATIENCE)

    again = first.rerun(params_patch={"bad": None}, next_stages=True)

    after = again.pipeline().results(PATIENCE)
    heard = [results.successes[0].result for results in (before, after)]
    assert heard == [{"heard": ["good"]}, {"heard": ["good", "good"]}]


def test_a_cancelled_pipeline_starts_no_other_stage(caller: Caller) -> None:
    stage = Stage("double", params=[{"n": 3}])
    pipeline = caller.service.kick_off_job("sleepy", [{"seconds": 600}], then=stage).pipeline()

    pipeline.cancel("wrong month")
    first, second = pipeline.wait(PATIENCE)

    assert first.summary is not None
    assert (first.summary.errored, second.orchestration, second.skipped) == (
        1,
        None,
        "The pipeline was cancelled.",
    )


def test_a_schedule_is_defined_listed_paused_and_deleted(caller: Caller) -> None:
    name = f"s-{uuid.uuid4()}"

    schedule = caller.service.schedule_job(
        name, "double", [{"n": 1}], cron="0 3 1 1 *", timezone="Europe/Berlin"
    )
    schedule.pause()
    paused = caller.service.schedule(name).view().state
    schedule.resume()
    resumed = caller.service.schedule(name).view().state
    run = schedule.run_now()
    orchestration = caller.service.orchestration(run.orchestration_id or "")
    result = [success.result for success in orchestration.results(PATIENCE).successes]
    schedule.delete()

    assert (paused, resumed, result) == (ScheduleState.PAUSED, ScheduleState.ACTIVE, [2])
    assert name not in [schedule.name for schedule in caller.service.schedules()]


def test_a_job_of_another_service_runs_there(caller: Caller) -> None:
    orchestration = caller.service.kick_off_job("bill", [{"n": 1}], service="billing")

    assert [success.result for success in orchestration.results(PATIENCE).successes] == [2]


@pytest.mark.parametrize(("job", "service"), [("bill", None), ("bill", "default"), ("double", "billing")])
def test_a_job_of_another_service_is_refused_with_its_service(
    caller: Caller, job: str, service: str | None
) -> None:
    owner = "billing" if job == "bill" else "default"
    with pytest.raises(UnknownJobName, match=f"The service '{owner}' has it: name that service"):
        caller.service.kick_off_job(job, [{"n": 1}], service=service)
