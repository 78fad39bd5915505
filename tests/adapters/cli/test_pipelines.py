"""The commands on pipelines: stages are kicked off, shown, watched and cancelled together."""

import json
from collections.abc import Callable

import pytest

from background_jobs import Stage, job_name
from background_jobs.aws.stores import Stores
from background_jobs.cli import list_orchestrations
from background_jobs.jobs import Jobs
from tests.adapters.cli.commands import kick_off_halve, run, run_on_terminal


def test_a_pipeline_is_shown_and_watched_stage_by_stage(to_the_end: Callable[..., str]) -> None:
    # given three stages, of which the first is done
    first = kick_off_halve("--then", "halve", "--then", "other", stdin='{"n": 2}\n{"n": 4}\n')
    second = to_the_end(first)
    # then `show` has a line for each stage, whichever stage is named
    for stage in (first, second):
        shown = run_on_terminal("show", stage).stdout
        rows = [line.split() for line in shown.splitlines() if line[:1] in {"1", "2", "3"}]
        assert ["1", "halve", "Completed", "2", "of", "2", first[:8]] in rows
        assert ["2", "halve", "InProgress", "0%", "0", "of", "2", second[:8]] in rows
        assert ["3", "other", "to", "come"] in rows
    assert f"follows     {first}" in run_on_terminal("show", second).stdout
    # when the second errors because its params have no n
    to_the_end(second)
    # then `watch` goes from stage to stage, and reports the stage that was not started
    watched = run("watch", "--pipeline", first)
    assert watched.exit_code == 1
    lines = [line.split("\t")[1] for line in watched.stdout.splitlines()]
    assert lines.index(f"halve {first}") < lines.index(f"halve {second}")
    reason = "2 of 2 instances of stage 2 errored."
    assert f"Stage 3, other, was not started: {reason}" in watched.stderr
    assert "skipped: 2 of 2" in " ".join(run_on_terminal("show", second).stdout.split())
    assert run("cancel", "--pipeline", second).stdout == "already done\n"


def test_a_pipeline_is_cancelled_as_one() -> None:
    first = kick_off_halve("--then", "halve", stdin='{"n": 2}')
    assert (
        "no further stage starts"
        in run_on_terminal("cancel", "--pipeline", first, "--reason", "wrong month").stdout
    )
    assert run_on_terminal("cancel", "--pipeline", first).stdout == "It was cancelled before.\n"


def test_a_pipeline_that_ends_well_is_watched_with_status_0(to_the_end: Callable[..., str]) -> None:
    @job_name("halve")
    def halve(params: dict[str, int]) -> dict[str, int]:
        return {"n": params["n"] // 2}

    first = kick_off_halve("--then", "halve", stdin='{"n": 4}')
    second = to_the_end(first, Jobs([halve]))
    to_the_end(second, Jobs([halve]))
    watched = run("watch", "--pipeline", second, "--json")
    assert (watched.exit_code, watched.stderr) == (0, "")
    lines = map(json.loads, watched.stdout.splitlines())
    assert [line["orchestration"]["orchestration_id"] for line in lines] == [first, second]


def test_stages_follow_as_the_options_say(stores: Stores) -> None:
    done = run(
        "kick-off", "halve", "--then", "other", "--then", "halve", "--on-failure", "continue", stdin="{}"
    )
    first = done.stdout.strip()
    assert f"Watch it: background-jobs watch --pipeline {first}" in done.stderr
    then = Stage("other", on_failure="continue", then=Stage("halve", on_failure="continue"))
    assert stores.event_log.read_started(first).then == then


def test_stages_take_the_params_that_are_given_with_them(stores: Stores) -> None:
    words = [
        "--then",
        "other=items",
        "--then",
        'halve={"n": "$results.n"}',
        "--then",
        "other=[{}]",
    ]
    done = run("kick-off", "halve", *words, stdin="{}")
    last = Stage("other", [{}])
    expected = Stage("other", "items", then=Stage("halve", {"n": "$results.n"}, then=last))
    assert stores.event_log.read_started(done.stdout.strip()).then == expected


@pytest.mark.parametrize(
    ("then", "why"),
    [
        ('halve={"n": "$resutls"}', "'$resutls' refers to nothing"),
        ('halve={"n": ', "the params are no JSON"),
        ("halve=[1]", "is no stage"),
    ],
)
def test_params_of_a_stage_that_cannot_be_are_refused(then: str, why: str) -> None:
    done = run("kick-off", "halve", "--then", then, stdin="{}")
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.replace("│", " ").split())


def test_a_rerun_says_that_next_stages_went_on_without_it(to_the_end: Callable[..., str]) -> None:
    words = ["--then", 'halve=[{"n": 2}]', "--on-failure", "continue"]
    first = run("kick-off", "halve", *words, stdin='{"n": 2}\n{"n": 3}\n').stdout.strip()
    to_the_end(first)
    note = "The next stages went on without what failed; `--next-stages` runs them for it."
    assert note in run("rerun", first).stderr
    assert (
        "the next stages do not follow without --next-stages: halve"
        in run("rerun", first, "--dry-run").stdout
    )
    assert "the next stages follow: halve" in run("rerun", first, "--next-stages", "--dry-run").stdout
    again = run("rerun", first, "--next-stages", "--index", "1")
    assert (again.exit_code, note in again.stderr) == (0, False)


def test_a_pipeline_is_one_line_of_a_list_and_not_completed_before_its_last_stage(
    to_the_end: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a terminal, and two stages, of which the first is done
    monkeypatch.setattr(list_orchestrations, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    first = kick_off_halve("--then", "halve", stdin='{"n": 2}')
    second = to_the_end(first)
    # then they are one line, that of the stage that runs
    (line,) = run("list").stdout.splitlines()[1:]
    assert line.startswith(f"{second[:8]}  halve (stage 2 of 2)  InProgress 0%")
