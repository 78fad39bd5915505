"""`background-jobs cancel` and `rerun`."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
import typer

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.job_descriptions import JobDescription
from background_jobs.core.views.orchestration import CancelAnswer, KickOffAnswer
from background_jobs.core.views.rerun_preview import RerunPreview
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
    # an offline stack has no revisions that `show` could name
    assert "runs the jobs as they are now; on AWS, `background-jobs show` names the revision" in again.stderr
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


def test_a_rerun_without_a_next_stage_can_take_none_along(done: str) -> None:
    refused = run("rerun", done, "--next-stages")
    assert refused.exit_code != 0
    assert f"No stage follows orchestration {done}" in " ".join(refused.stderr.split())


def test_a_dry_run_prints_what_would_run_and_starts_nothing(service: OrchestrationService, done: str) -> None:
    words = ["--index", "1", "--index", "3", "--set", "n=8", "--set", "limits.rate=0.5"]
    preview = run("rerun", done, *words, "--dry-run")
    assert preview.stdout == (
        "2 instances of halve would run again\n"
        "    index 1,3\n"
        '#1 - {"n": 3}\n'
        '#1 + {"n": 8, "limits": {"rate": 0.5}}\n'
        '#3 - {"n": 5}\n'
        '#3 + {"n": 8, "limits": {"rate": 0.5}}\n'
    )
    as_json = RerunPreview.model_validate_json(run("rerun", done, *words, "--dry-run", "--json").stdout)
    assert (as_json.instances, as_json.changed, as_json.only) == (2, True, "selected")
    assert [summary.orchestration_id for summary in service.history().summaries] == [done]


def test_changed_params_that_do_not_fit_their_job_are_refused_and_nothing_is_started(
    service: OrchestrationService, done: str
) -> None:
    schema = {"properties": {"n": {"type": "integer"}}}
    service.publish_jobs([JobDescription(name="halve", params_schema=schema)])

    refused = run("rerun", done, "--index", "1", "--set", "n=many")

    assert refused.exit_code == 2
    assert '#1 n must be a whole number, not "many". Nothing was started.' in refused.stderr
    assert "does not fit: #1 n must be" in run("rerun", done, "--set", "n=many", "--dry-run").stdout
    assert [summary.orchestration_id for summary in service.history().summaries] == [done]
    assert run("rerun", done, "--index", "1", "--set", "n=8").exit_code == 0


def test_a_cause_runs_again_with_other_params(
    service: OrchestrationService, stores: Stores, done: str
) -> None:
    (cause,) = service.orchestration(done).causes().items
    again = run("rerun", done, "--cause", cause.cause_id, "--set", "n=6")
    assert again.exit_code == 0, again.output
    rerun = service.orchestration(again.stdout.strip())
    assert [rerun.instance(index).params for index in (0, 1)] == [{"n": 6}, {"n": 6}]
    assert f"runs again  2 selected of {done}" in run_on_terminal("show", rerun.id).stdout


def test_the_params_of_a_single_instance_are_replaced(service: OrchestrationService, done: str) -> None:
    again = run("rerun", done, "--index", "1", "--params", "-", stdin='{"n": null}')
    assert service.orchestration(again.stdout.strip()).instance(0).params == {"n": None}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--index", "9"], "there is no instance 9 in"),
        (["--index", "a"], "'a' is neither an index nor a range"),
        (["--set", "n"], "'n' names no value; write NAME=VALUE"),
        (["--set", "a.b=1", "--set", "a=2", "--set", "a.c=3"], "'a' in 'a.c' is set as a whole, too"),
        (["--params", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["--params", "-"], "-: it is no JSON"),
        (["--cause", "x"], "is no id of a cause"),
    ],
)
def test_what_cannot_run_again_is_refused_in_a_sentence(
    service: OrchestrationService, done: str, words: list[str], reason: str
) -> None:
    refused = run("rerun", done, *words)
    assert (refused.exit_code, reason in " ".join(refused.stderr.split())) == (2, True), refused.stderr
    assert [summary.orchestration_id for summary in service.history().summaries] == [done]


def test_ctrl_c_at_the_question_is_an_interruption_and_no_answer(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: str = "") -> str:
        raise KeyboardInterrupt

    def confirm(*words: Any, **options: Any) -> bool:
        with patch("typer._click.termui.visible_prompt_func", interrupt):
            return ask(*words, **options)

    ask = typer.confirm
    orchestration = service.kick_off_job("halve", [{"n": 2}])
    monkeypatch.setattr("background_jobs.cli.cancel.asks_people", lambda: True)
    monkeypatch.setattr(typer, "confirm", confirm)
    assert run("cancel", orchestration.id).exit_code == 130
    assert orchestration.summary().cancelled_at is None


def test_on_a_terminal_a_rerun_shows_what_will_run_and_asks(
    service: OrchestrationService, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given somebody who can answer
    monkeypatch.setattr("background_jobs.cli.rerun.asks_people", lambda: True)
    # when the answer is no, then nothing was started
    refused = run("rerun", done, "--index", "1", stdin="n\n")
    assert "1 instance of halve would run again\n    index 1\n" in refused.stderr
    assert (refused.exit_code, "Nothing was started." in refused.stderr) == (2, True)
    assert [summary.orchestration_id for summary in service.history().summaries] == [done]
    # and when it is yes, or was given before, then it was
    for stdin, words in (("y\n", []), ("", ["--yes"])):
        again = run("rerun", done, "--index", "1", *words, stdin=stdin)
        assert service.orchestration(again.stdout.split()[-1]).instance(0).params == {"n": 3}
