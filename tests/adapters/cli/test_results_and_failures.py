"""`background-jobs results` and `failures`, of one run and merged over its reruns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from background_jobs import OrchestrationService, job_name
from background_jobs.core.views.causes import Cause
from background_jobs.core.views.outcomes import FailureView, SuccessView
from background_jobs.jobs import Jobs
from tests.adapters.cli.commands import run, run_on_terminal


def test_results_come_in_the_order_of_the_params(done: str, tmp_path: Path) -> None:
    assert run("results", done).stdout == '0\t{"n": 2}\t1\n2\t{"n": 4}\t2\n'
    lines = run("results", done, "--json").stdout
    successes = [SuccessView.model_validate_json(line) for line in lines.splitlines()]
    assert [(success.index, success.params, success.result) for success in successes] == [
        (0, {"n": 2}, 1),
        (2, {"n": 4}, 2),
    ]
    assert len(run("results", done, "--limit", "1").stdout.splitlines()) == 1

    written = run("results", done, "--output", str(tmp_path / "results.jsonl"))
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "results.jsonl").read_text() == lines
    nowhere = run("results", done, "--output", str(tmp_path / "no" / "results.jsonl"))
    assert (nowhere.exit_code, "No such file or directory" in nowhere.stderr) == (3, True)


def test_the_exit_status_of_waiting_for_results_says_whether_all_completed(
    service: OrchestrationService, aggregate: Callable[[], list[Any]], done: str
) -> None:
    nothing = service.kick_off_job("other", []).id
    assert aggregate() == []
    assert run("results", done).exit_code == 0
    assert run("results", "--wait", done).exit_code == 1
    assert run("results", "--wait", nothing).exit_code == 0


def test_failures_are_grouped_by_cause_and_printed_in_full(done: str) -> None:
    brief = run_on_terminal("failures", done)
    assert brief.stdout.startswith("2x ValueError: 3 is odd\n    at ")
    assert "    index 1, 3\n" in brief.stdout
    assert brief.stderr == (
        f"In full: background-jobs failures --full {done}\n"
        f"Run a cause again: background-jobs rerun {done} --cause CAUSE\n"
    )
    full = run_on_terminal("failures", "--full", done)
    assert full.stderr == ""
    assert full.stdout.startswith(brief.stdout)
    for text in ("#1 ValueError: 3 is odd", '    params    {"n": 3}', 'raise ValueError(f"', "#3 ValueError"):
        assert text in full.stdout

    (cause,) = [
        Cause.model_validate_json(line) for line in run("failures", done, "--json").stdout.splitlines()
    ]
    assert (cause.count, cause.indices) == (2, [1, 3])
    lines = run("failures", done, "--full", "--json").stdout.splitlines()
    each = [FailureView.model_validate_json(line) for line in lines]
    assert [(failure.index, failure.params) for failure in each] == [(1, {"n": 3}), (3, {"n": 5})]

    # and in a pipe, the fields that docs/cli.md names
    (row,) = [line.split("\t") for line in run("failures", done).stdout.splitlines()]
    assert row == ["2", "0", "ValueError", "3 is odd", cause.place, "1,3", "", cause.cause_id]
    first, _ = [line.split("\t") for line in run("failures", done, "--full").stdout.splitlines()]
    assert first[:5] == ["1", "ValueError", "3 is odd", '{"n": 3}', "1"]


def test_an_orchestration_without_failures_says_so(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("other", [])
    assert run_on_terminal("failures", orchestration.id).stderr == "No instance has errored.\n"
    assert run("failures", orchestration.id, "--json").output == ""


def test_merged_results_are_one_answer_over_all_reruns(
    service: OrchestrationService,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
    done: str,
) -> None:
    # given a rerun with new code, which can halve 3 and still refuses 5
    @job_name("halve")
    def halve(params: dict[str, int]) -> float:
        if params["n"] == 5:
            raise ValueError("5 is odd")
        return params["n"] / 2

    again = run("rerun", done).stdout.strip()
    launch(service.orchestration(again), jobs=Jobs([halve]))
    aggregate_completion()
    merged = run("results", "--merged", done)
    assert merged.stdout == '0\t{"n": 2}\t1\n1\t{"n": 3}\t1.5\n2\t{"n": 4}\t2\n'
    assert (merged.exit_code, merged.stderr) == (1, f"1 errored: background-jobs failures {again}\n")
    assert len(run("results", "--merged", done, "--json", "--limit", "2").stdout.splitlines()) == 2


def test_a_cause_says_which_params_its_failures_share(
    launch: Callable[..., None], aggregate: Callable[[], list[Any]], service: OrchestrationService
) -> None:
    params = [
        {"n": n, "region": region}
        for n, region in ((3, "eu"), (5, "eu"), (2, "eu"), (4, "us"), (6, "us"), (8, "us"))
    ]
    orchestration = service.kick_off_job("halve", params, parallelism=1)
    launch(orchestration)
    assert aggregate() == []
    printed = run_on_terminal("failures", orchestration.id).stdout
    assert "    always has region=eu (as have 3 of 6 instances)\n" in printed
    (line,) = run("failures", orchestration.id, "--json").stdout.splitlines()
    (common,) = Cause.model_validate_json(line).common
    assert (common.name, common.value, common.instances) == ("region", "eu", 3)


def test_causes_are_printed_a_page_at_a_time_and_the_failures_of_one_in_full(
    launch: Callable[..., None], aggregate: Callable[[], list[Any]], service: OrchestrationService
) -> None:
    @job_name("halve")
    def complain(params: dict[str, str]) -> None:
        raise ValueError(params["n"])

    orchestration = service.kick_off_job("halve", [{"n": n} for n in ("a", "b", "a")], parallelism=1)
    launch(orchestration, jobs=Jobs([complain]))
    assert aggregate() == []
    first = run_on_terminal("failures", orchestration.id, "--limit", "1")
    assert first.stdout.startswith("2x ValueError: a\n")
    assert "There are 2 causes in all. The next page: --next-token 1\n" in first.stderr
    second = run("failures", orchestration.id, "--limit", "1", "--next-token", "1", "--json")
    cause = Cause.model_validate_json(second.stdout)
    assert (cause.message, cause.indices, second.stderr) == ("b", [1], "")
    of_cause = run_on_terminal("failures", orchestration.id, "--cause", cause.cause_id)
    assert "#1 ValueError: b" in of_cause.stdout
    assert '    params    {"n": "b"}' in of_cause.stdout
    assert "#0" not in of_cause.stdout
    unknown = run("failures", orchestration.id, "--cause", "0123456789ab")
    assert (unknown.exit_code, "has the cause '0123456789ab'" in unknown.stderr) == (2, True)
