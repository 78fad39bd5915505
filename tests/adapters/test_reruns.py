"""Running failures again, and one answer over all the runs."""

from collections.abc import Callable
from typing import Any

import pytest

from background_jobs import (
    InvalidKickOff,
    KickOffConflict,
    Orchestration,
    OrchestrationService,
    PayloadNotFound,
    Retry,
    job_name,
)
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings

PATIENCE = 30


@job_name("halve")
def halve_everything(params: dict[str, Any]) -> float:
    """The job as it is after somebody mended it for all odd numbers but one."""
    if params["n"] == 13:
        raise LookupError("unlucky")
    return float(params["n"] / 2)


@pytest.fixture
def run(launch: Callable[..., None], aggregate_completion: Callable[[], None]) -> Callable[..., None]:
    def run(orchestration: Orchestration, jobs: Jobs | None = None) -> None:
        launch(orchestration, jobs=jobs)
        aggregate_completion()

    return run


@pytest.fixture
def failed(service: OrchestrationService, run: Callable[..., None]) -> Orchestration:
    """An orchestration whose odd numbers failed."""
    orchestration = service.kick_off_job(
        "halve",
        [{"n": n, "region": "eu" if n % 2 else "us", "month": 11} for n in (2, 3, 4, 13, 7)],
        parallelism=1,
        tags={"customer": "acme"},
    )
    run(orchestration)
    return orchestration


def test_what_failed_runs_again_with_new_code_and_the_merged_answer_is_in_the_first_order(
    service: OrchestrationService, failed: Orchestration, run: Callable[..., None]
) -> None:
    failures = failed.results(PATIENCE).failures
    assert failures is not None
    again = failures.rerun(retry=Retry(max_attempts=2, base_seconds=0), parallelism=1)
    run(again, Jobs([halve_everything]))

    for orchestration_id in (failed.id, again.id):
        successes, left = service.get_job_results(orchestration_id, merged=True, timeout=PATIENCE)
        assert [(success.index, success.params["n"], success.result) for success in successes] == [
            (0, 2, 1), (1, 3, 1.5), (2, 4, 2), (4, 7, 3.5),
        ]  # fmt: skip
        assert left is not None
        assert [(failure.index, failure.attempts, failure.error.type) for failure in left] == [
            (3, 2, "LookupError")
        ]
        assert left[0].orchestration_id == again.id


def test_reruns_of_reruns_and_of_everything_come_into_one_answer(
    service: OrchestrationService, failed: Orchestration, run: Callable[..., None]
) -> None:
    again = failed.rerun()
    run(again, Jobs([halve_everything]))
    run(again.rerun())  # 13 alone, and it is odd still
    run(failed.rerun(only="all"), Jobs([halve_everything]))
    successes, left = service.get_job_results(failed.id, merged=True, timeout=PATIENCE)
    assert [success.index for success in successes] == [0, 1, 2, 4]
    assert left is not None
    assert [(failure.index, failure.error.type) for failure in left] == [(3, "LookupError")], (
        "the latest failure counts"
    )


def test_a_success_is_never_lost_to_a_later_failure(failed: Orchestration, run: Callable[..., None]) -> None:
    run(failed.rerun(only="all"), Jobs([halve_everything]))
    run(failed.rerun(only="all"))
    merged = failed.results(PATIENCE, merged=True)
    assert [success.result for success in merged.successes] == [1, 1.5, 2, 3.5]


def test_a_rerun_that_is_refused_leaves_nothing_behind(
    stores: Stores, settings: Settings, failed: Orchestration
) -> None:
    # given an orchestration whose params have expired
    params_key = stores.event_log.read_started(failed.id).params_key
    clients.s3().delete_object(Bucket=settings.payload_bucket, Key=params_key)
    # when it is run again, then that is refused, and its history names no rerun
    with pytest.raises(PayloadNotFound):
        failed.rerun(only="all")
    assert "RerunRequested" not in {entry.type for entry in failed.event_history().timeline}


def test_a_rerun_under_a_key_happens_once(failed: Orchestration) -> None:
    assert failed.rerun(key="mended").id == failed.rerun(key="mended").id
    with pytest.raises(KickOffConflict, match="the tags"):
        failed.rerun(key="mended", tags={})


def test_a_rerun_costs_the_same_calls_however_large_it_is(stores: Stores, failed: Orchestration) -> None:
    rerun = failed.rerun()
    event = stores.event_log.read_started(rerun.id)
    assert (event.parent_id, event.rerun_only, event.total, event.tags) == (
        failed.id, "failed", 3, {"customer": "acme"},
    )  # fmt: skip
    with pytest.raises(InvalidKickOff, match="still runs"):
        rerun.rerun()


def test_nothing_to_run_again_is_said(service: OrchestrationService, run: Callable[..., None]) -> None:
    fine = service.kick_off_job("halve", [{"n": 2}], parallelism=1)
    run(fine)
    with pytest.raises(InvalidKickOff, match="nothing to run again"):
        fine.rerun()
    with pytest.raises(InvalidKickOff, match="parallelism=0"):
        fine.rerun(only="all", parallelism=0)


def test_the_digest_names_what_failures_have_in_common_and_others_have_not(
    failed: Orchestration, run: Callable[..., None]
) -> None:
    failures = failed.results(PATIENCE).failures
    assert failures is not None
    assert str(failures.digest()).splitlines() == [
        "3 failures, 1 cause",
        "  3 of ValueError: 3 is odd; always has region=eu",
    ]
    (cause,) = failures.digest().causes
    assert [(param.name, param.value, param.instances) for param in cause.common] == [("region", "eu", 3)]
