"""Running a part of an orchestration again: a cause, or some instances, with other params where wanted."""

from collections.abc import Callable
from typing import Any

import pytest

from background_jobs import (
    InvalidKickOff,
    InvalidParams,
    KickOffConflict,
    Orchestration,
    OrchestrationService,
    Stage,
    job_name,
)
from background_jobs.aws.stores import Stores
from background_jobs.core.errors import CauseNotFound
from background_jobs.core.ids import next_stage_id
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.jobs import Jobs

PATIENCE = 30


@job_name("convert")
def convert(params: dict[str, Any]) -> float:
    """Fail for two causes: an unknown currency, and no amount."""
    rate = {"eur": 1.0, "usd": 0.5}.get(params["currency"])
    if rate is None:
        raise LookupError(f"no rate for {params['currency']!r}")
    if params["amount"] is None:
        raise ValueError("no amount")
    return float(params["amount"] * rate)


PARAMS: list[dict[str, Any]] = [
    {"currency": "eur", "amount": 1},
    {"currency": "xxx", "amount": 2},
    {"currency": "eur", "amount": None},
    {"currency": "yyy", "amount": 4},
    {"currency": "usd", "amount": 5},
]


@pytest.fixture
def run(launch: Callable[..., None], aggregate_completion: Callable[[], None]) -> Callable[..., None]:
    def run(orchestration: Orchestration) -> None:
        launch(orchestration, jobs=Jobs([convert]))
        aggregate_completion()

    return run


@pytest.fixture
def failed(service: OrchestrationService, run: Callable[..., None]) -> Orchestration:
    """An orchestration of which 1 and 3 failed for one cause, and 2 for another."""
    orchestration = service.kick_off_job("convert", PARAMS, parallelism=1)
    run(orchestration)
    return orchestration


def causes(orchestration: Orchestration) -> dict[str, str]:
    """Return the ids of the causes by the type of their error."""
    return {cause.type: cause.cause_id for cause in orchestration.causes().items}


def params_of(orchestration: Orchestration) -> list[Any]:
    return [orchestration.instance(index).params for index in range(orchestration.summary().total or 0)]


def test_the_failures_of_a_cause_run_again_with_a_changed_param_and_repair_theirs(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    # when those of one cause run again in another currency
    again = failed.rerun(cause=causes(failed)["LookupError"], params_patch={"currency": "usd"})
    run(again)
    # then these two ran, and what they returned is in the place of what failed
    assert params_of(again) == [{"currency": "usd", "amount": 2}, {"currency": "usd", "amount": 4}]
    successes, failures = failed.results(PATIENCE, merged=True)
    assert [(success.index, success.result) for success in successes] == [(0, 1), (1, 1), (3, 2), (4, 2.5)]
    assert failures is not None
    assert [(failure.index, failure.error.type) for failure in failures] == [(2, "ValueError")]
    # with the params that they ran with
    assert [success.params["currency"] for success in successes] == ["eur", "usd", "usd", "usd"]
    # and the causes of the first say what is repaired
    repaired = {cause.type: (cause.repaired, cause.count) for cause in failed.causes().items}
    assert repaired == {"LookupError": (2, 2), "ValueError": (0, 1)}


@pytest.mark.parametrize("by_id", [False, True])
def test_a_cause_that_did_not_run_again_is_not_gone(
    failed: Orchestration, run: Callable[..., None], *, by_id: bool
) -> None:
    again = failed.rerun(cause=causes(failed)["LookupError"], params_patch={"currency": "eur"})
    run(again)
    compared = again.compare(failed.id) if by_id else again.compare()
    assert [(cause.type, cause.before) for cause in compared.gone] == [("LookupError", 2)]
    assert (compared.new, compared.same) == ([], [])


def test_reruns_of_parts_of_a_part_come_into_one_answer(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    # given a rerun of three, of which two fail again, and a rerun of the last of these
    again = failed.rerun(indices="1-3", params_patch={"amount": 6})
    run(again)
    assert [failure.index for failure in again.failures().items] == [0, 2]
    run(again.rerun(indices=2, params={"currency": "eur", "amount": 8}))
    # then each success is in the place of its first instance
    successes, failures = failed.results(PATIENCE, merged=True)
    assert [(success.index, success.result) for success in successes] == [(0, 1), (2, 6), (3, 8), (4, 2.5)]
    assert failures is not None
    assert [failure.index for failure in failures] == [1]


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        ({"indices": "3-4,0"}, [0, 3, 4]),
        ({"indices": [4, 1], "only": "failed"}, [1]),
        ({"only": "completed"}, [0, 4]),
        ({"only": "completed", "indices": "1-4"}, [4]),
        ({"only": "all"}, [0, 1, 2, 3, 4]),
        ({}, [1, 2, 3]),
    ],
)
def test_instances_are_named_by_index_by_status_or_by_both(
    failed: Orchestration, options: dict[str, Any], indices: list[int]
) -> None:
    assert params_of(failed.rerun(**options)) == [PARAMS[index] for index in indices]


def test_what_no_rerun_has_repaired_runs_again_until_nothing_is_left(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    # given a rerun that repaired 1 and 3
    again = failed.rerun(params_patch={"currency": "eur"})
    run(again)

    # then 2 alone is not repaired
    assert params_of(failed.rerun(only="unrepaired")) == [PARAMS[2]]
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        failed.rerun(only="unrepaired", cause=causes(failed)["LookupError"])

    # and when a rerun of the rerun repairs it, then nothing is left
    run(again.rerun(only="unrepaired", params_patch={"amount": 3}))
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        failed.rerun(only="unrepaired")


def test_a_key_stands_for_what_was_not_repaired_when_it_came_first(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    options: Any = {"only": "unrepaired", "params_patch": {"currency": "eur"}, "key": "in euros"}
    first = failed.rerun(**options)
    run(first)
    assert failed.rerun(**options).id == first.id


def test_a_key_stays_the_same_rerun_whatever_another_has_repaired_meanwhile(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    first = failed.rerun(only="unrepaired", key="tonight")
    run(failed.rerun(indices=1, params_patch={"currency": "eur"}))
    assert failed.rerun(only="unrepaired", key="tonight").id == first.id
    with pytest.raises(KickOffConflict):
        failed.rerun(only="unrepaired", indices="1-2", key="tonight")


def test_a_preview_says_what_would_run_and_starts_nothing(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    run(failed.rerun(indices=1, params_patch={"currency": "eur"}))
    reruns = [entry.type for entry in failed.event_history().timeline].count("RerunRequested")
    preview = failed.preview_rerun(params_patch={"currency": None, "note": "again"})
    assert (preview.instances, preview.indices, preview.repaired, preview.changed) == (3, "1-3", 1, True)
    assert [(change.index, change.before, change.after) for change in preview.params] == [
        (index, PARAMS[index], {"amount": PARAMS[index]["amount"], "note": "again"}) for index in (1, 2, 3)
    ]
    timeline = [entry.type for entry in failed.event_history().timeline]
    assert timeline.count("RerunRequested") == reruns == 1


def test_a_preview_says_what_in_changed_params_does_not_fit_their_job(
    service: OrchestrationService, failed: Orchestration
) -> None:
    """Params that were accepted before are not held to what the job has published since."""
    schema = {"properties": {"currency": {"enum": ["eur", "usd"]}, "amount": {"type": "number"}}}
    service.publish_jobs([JobDescription(name="convert", params_schema=schema)])

    misfits = failed.preview_rerun(indices=[2, 4], params_patch={"amount": "much"}).problems

    assert [(one.index, one.field, one.message) for one in misfits] == [
        (2, "amount", 'must be a number, not "much"'),
        (4, "amount", 'must be a number, not "much"'),
    ]
    assert failed.preview_rerun(indices=[1]).problems == []
    assert failed.preview_rerun(indices=[1], params_patch={"currency": "usd"}).problems == []


@pytest.mark.parametrize("act", [Orchestration.rerun, Orchestration.preview_rerun])
def test_what_cannot_run_again_is_refused_in_a_sentence_by_rerun_and_preview_alike(
    failed: Orchestration, act: Callable[..., Any]
) -> None:
    with pytest.raises(CauseNotFound, match="lists the causes with their ids"):
        act(failed, cause="0123456789ab")
    with pytest.raises(InvalidKickOff, match=r"there is no instance 5 in .*; it has 0 to 4"):
        act(failed, indices="4-5")
    with pytest.raises(InvalidKickOff, match=r"there is no instance 99999999999999 in .*; it has 0 to 4"):
        act(failed, indices="0-99999999999999")
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        act(failed, indices="0", only="failed")
    with pytest.raises(InvalidKickOff, match="those of one instance, and 3 are to run again"):
        act(failed, params={"currency": "eur", "amount": 1})
    with pytest.raises(InvalidKickOff, match="either params"):
        act(failed, indices=1, params={}, params_patch={})
    with pytest.raises(InvalidKickOff, match="is no id of a cause"):
        act(failed, cause="LookupError")
    with pytest.raises(InvalidParams, match="params at index 2 were refused"):
        act(failed, indices=2, params_patch={"amount": float("nan")})


def test_a_key_does_not_stand_for_two_selections_with_the_same_params(
    service: OrchestrationService, run: Callable[..., None]
) -> None:
    orchestration = service.kick_off_job("convert", [PARAMS[1]] * 3, parallelism=1)
    run(orchestration)
    first = orchestration.rerun(indices="0", key="mended")
    assert orchestration.rerun(indices="0", key="mended").id == first.id
    with pytest.raises(KickOffConflict, match="which instances run again"):
        orchestration.rerun(indices="1", key="mended")


def test_the_history_says_which_cause_ran_again(failed: Orchestration) -> None:
    cause = causes(failed)["ValueError"]
    again = failed.rerun(cause=cause)
    (entry,) = [entry for entry in failed.event_history().timeline if entry.type == "RerunRequested"]
    assert entry.detail == f"those of cause {cause} as {again.id}"


def test_instances_and_failures_are_read_by_cause_a_page_at_a_time(failed: Orchestration) -> None:
    cause = causes(failed)["LookupError"]
    first = failed.instances(cause=cause, limit=1)
    rest = failed.instances(cause=cause, limit=1, next_token=first.next_token)
    assert [view.index for view in first.items + rest.items] == [1, 3]
    assert rest.next_token is None
    assert [view.params for view in failed.failures(cause=cause).items] == [PARAMS[1], PARAMS[3]]
    with pytest.raises(CauseNotFound):
        failed.instances(cause="0123456789ab")


def test_a_stopped_pipeline_goes_on_once_reruns_of_its_parts_have_repaired_all(
    service: OrchestrationService,
    stores: Stores,
    to_the_end: Callable[..., str],
) -> None:
    # given a pipeline that stopped at a stage with two causes
    then = Stage("sum", params={"amount": "$result"})
    first = service.kick_off_job("convert", PARAMS, parallelism=1, then=then)
    to_the_end(first.id, Jobs([convert]))
    # when one cause is repaired, then it does not go on, for the other is still there
    one = first.rerun(cause=causes(first)["LookupError"], params_patch={"currency": "usd"})
    to_the_end(one.id, Jobs([convert]))
    skipped = stores.event_log.read_skipped(one.id)
    assert skipped is not None
    assert skipped.reason == "1 of 5 instances of stage 1 errored."
    # and when the other is repaired, too, it goes on with the results of all
    other = first.rerun(cause=causes(first)["ValueError"], params_patch={"amount": 3})
    to_the_end(other.id, Jobs([convert]))
    following = service.orchestration(next_stage_id(other.id))
    assert params_of(following) == [{"amount": amount} for amount in (1.0, 1.0, 3.0, 2.0, 2.5)]
