"""`background-jobs cancel` and `rerun`."""

from datetime import timedelta

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.views.orchestration import CancelAnswer, KickOffAnswer
from tests.adapters.cli.commands import run, run_on_terminal


def test_cancelling_says_whether_there_was_anything_to_cancel(
    service: OrchestrationService, stores: Stores, done: str
) -> None:
    orchestration = service.kick_off_job("other", [{"n": 1}])
    first = run("cancel", orchestration.id, "--reason", "wrong month", "--json")
    assert CancelAnswer.model_validate_json(first.stdout).found == "requested"
    cancellation = stores.event_log.read_cancelled(orchestration.id)
    assert cancellation is not None
    assert cancellation.reason == "wrong month"
    assert run_on_terminal("cancel", orchestration.id).stdout == "It was cancelled before.\n"
    assert run("cancel", done).stdout == "already done\n"


def test_a_rerun_prints_the_new_id(stores: Stores, done: str) -> None:
    again = run("rerun", done)
    assert "Kicked off halve with 2 instances:" in again.stderr
    assert "runs the latest revision of the task definition" in again.stderr
    started = stores.event_log.read_started(again.stdout.strip())
    assert (started.parent_id, started.total) == (done, 2)
    assert f"runs again  2 failed of {done}" in run_on_terminal("show", again.stdout.strip()).stdout
    every = KickOffAnswer.model_validate_json(run("rerun", done, "--only", "all", "--json").stdout)
    assert stores.event_log.read_started(every.orchestration_id).total == 4
    assert f"runs again  all 4 of {done}" in run_on_terminal("show", every.orchestration_id).stdout
    assert every.orchestration_id in "".join(run_on_terminal("show", done).stdout.split())


def test_a_rerun_takes_the_options_of_a_kick_off(stores: Stores, done: str) -> None:
    words = ["--parallelism", "2", "--key", "again", "--max-attempts", "5", "--timeout", "10m"]
    first, second = run("rerun", done, *words), run("rerun", done, *words)
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    started = stores.event_log.read_started(first.stdout.strip())
    assert (started.parallelism, started.idempotency_key) == (2, "again")
    assert started.retry is not None
    assert started.retry.max_attempts == 5
    assert started.deadline is not None
    assert started.deadline - started.at == timedelta(minutes=10)
