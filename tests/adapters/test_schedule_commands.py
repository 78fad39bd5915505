"""`background-jobs schedule`, over moto: what a user types, and what a terminal or a program gets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from background_jobs.aws import clients
from background_jobs.cli import schedules
from background_jobs.cli.main import app
from background_jobs.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def run(settings: Settings) -> Run:
    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["schedule", *arguments], input=stdin, env=settings.to_env())

    return run


@pytest.fixture
def nightly(run: Run) -> Run:
    made = run("create", "nightly", "halve", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin")
    assert made.exit_code == 0, made.output
    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def lines(result: Result) -> list[Any]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_schedule_is_made_with_every_option_and_params_from_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "params.jsonl").write_text('{"n": 2}\n{"n": 4}\n')
    made = run(
        "create", "often", "halve", "--params", str(tmp_path / "params.jsonl"), "--every", "90m",
        "--end", "2999-01-01T00:00Z", "--overlap", "queue", "--jitter", "5m", "--parallelism", "2",
        "--tag", "customer=acme", "--tag", "team=x=y", "--timeout", "1h", "--max-attempts", "4",
        "--then", "halve", "--then", "notify", "--on-failure", "continue", "--json",
    )  # fmt: skip
    view = printed(made)
    assert (view["due"], view["overlap"], view["jitter_minutes"]) == ("rate(90 minutes)", "queue", 5)
    assert (view["tags"], view["parallelism"]) == ({"customer": "acme", "team": "x=y"}, 2)
    assert view["then"] == ["halve", "notify"]
    assert (view["retry"]["max_attempts"], view["timeout_seconds"], view["notify"]) == (4, 3600, [])
    assert (view["instances"], view["first_params"]) == (2, [{"n": 2}, {"n": 4}])
    target = clients.scheduler().get_schedule(Name="often", GroupName="background-jobs-test")["Target"]
    definition = json.loads(target["Input"])["definition"]
    assert (definition["params"], definition["timeout_seconds"]) == ([{"n": 2}, {"n": 4}], 3600)
    last = {"job_name": "notify", "on_failure": "continue"}
    assert definition["then"] == {"job_name": "halve", "on_failure": "continue", "then": last}


def test_params_that_cannot_be_read_are_named_by_their_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "latin1.txt").write_bytes('{"n": 2}\n{"city": "Köln"}\n'.encode("latin-1"))
    refused = run("create", "odd", "halve", "--params", str(tmp_path / "latin1.txt"), "--cron", "0 3 * * *")
    assert refused.exit_code == 2
    assert "latin1.txt, line 2" in " ".join(refused.stderr.split())


def test_params_come_from_standard_input_as_well(run: Run) -> None:
    printed(
        run("create", "piped", "halve", "--params", "-", "--cron", "0 3 * * *", "--json", stdin='{"n": 6}')
    )
    target = clients.scheduler().get_schedule(Name="piped", GroupName="background-jobs-test")["Target"]
    assert json.loads(target["Input"])["definition"]["params"] == [{"n": 6}]


def test_schedules_are_listed_shown_paused_and_resumed(nightly: Run) -> None:
    assert [schedule["name"] for schedule in lines(nightly("list", "--json"))] == ["nightly"]
    (line,) = nightly("list").stdout.splitlines()
    assert line.split("\t")[:4] == ["nightly", "active", "halve", "cron(0 3 * * ? *)"]
    assert printed(nightly("pause", "nightly", "--json"))["state"] == "paused"
    assert "state\tpaused" in nightly("show", "nightly").stdout
    assert printed(nightly("resume", "nightly", "--json"))["state"] == "active"


def test_running_now_says_what_became_of_it_in_its_status_too(nightly: Run) -> None:
    first = printed(nightly("run-now", "nightly", "--json"))
    assert (first["state"], first["status"]) == ("started", "InProgress")
    skipped = nightly("run-now", "nightly")
    assert skipped.exit_code == 4
    assert "still in progress" in skipped.stdout
    assert printed(nightly("run-now", "nightly", "--force", "--json"))["state"] == "started"
    states = [occurrence["state"] for occurrence in lines(nightly("runs", "nightly", "--json"))]
    assert states == ["started", "skipped", "started"]
    rows = [line.split("\t") for line in nightly("runs", "nightly").stdout.splitlines()]
    assert [row[1:3] for row in rows] == [
        ["started", "InProgress"],
        ["skipped", ""],
        ["started", "InProgress"],
    ]
    (row,) = [line.split("\t") for line in nightly("list").stdout.splitlines()]
    assert row[:4] == ["nightly", "active", "halve", "cron(0 3 * * ? *)"]


def test_on_a_terminal_schedules_and_their_runs_are_columns_under_a_header(
    nightly: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nightly("run-now", "nightly").exit_code == 0
    monkeypatch.setattr(schedules, "on_terminal", lambda: True)
    header, line = nightly("list").stdout.splitlines()
    assert header.split() == ["NAME", "STATE", "JOB", "DUE", "NEXT"]
    assert line.startswith("nightly  active  halve  cron(0 3 * * ? *)  ")
    assert nightly("runs", "nightly").stdout.split()[:3] == ["DUE", "STATE", "STATUS"]


def test_a_backfill_prints_what_it_started(nightly: Run) -> None:
    refused = nightly("backfill", "nightly", "2999-01-01T00:00Z", "2999-01-02T00:00Z")
    assert refused.exit_code == 2
    assert "no span of the past" in refused.stderr


def test_a_deleted_schedule_is_gone_from_the_list(nightly: Run) -> None:
    assert nightly("delete", "nightly").exit_code == 0
    assert lines(nightly("list", "--json")) == []
    assert (nightly("list").stdout, nightly("list").stderr) == (
        "",
        "There are no schedules. `background-jobs schedule create` makes one.\n",
    )
    assert nightly("resume", "nightly").exit_code == 2


def test_what_looks_like_markup_is_shown_as_it_is(run: Run) -> None:
    name = "[red]census[/red]"
    made = run("create", "odd", name, "--cron", "0 3 * * *", "--tag", "[bold]=[link=x]y[/link]")
    assert name in made.stdout
    assert "tags.[bold]\t[link=x]y[/link]" in made.stdout
    assert name in run("list").stdout


def test_characters_that_control_a_terminal_are_shown_harmless(run: Run) -> None:
    made = run("create", "odd", "halve", "--cron", "0 3 * * *", "--tag", "customer=\x1b[2J\u202eacme")
    assert "tags.customer\t�[2J�acme" in made.stdout
    assert "\x1b" not in made.output


def test_spans_are_those_of_the_other_commands(run: Run) -> None:
    view = printed(run("create", "often", "halve", "--every", "1h30m", "--json"))
    assert view["due"] == "rate(90 minutes)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cron", "61 * * * *"], "'61' is no minute"),
        (["--cron", "0 3 * * *", "--timezone", "Mars"], "no time zone 'Mars'"),
        (["--cron", "0 3 * * *", "--timezone", "localtime"], "no time zone 'localtime'"),
        (["--cron", "0 3 * * *", "--timezone", "right/UTC"], "no time zone 'right/UTC'"),
        (["--every", "soon"], "is no span"),
        (["--at", "tomorrow"], "is no moment"),
        (["--at", "2999-01-01T00:00"], "is no moment"),
        (["--cron", "0 3 * * *", "--tag", "acme"], "is no tag"),
        (["--cron", "0 3 * * *", "--params", "/nowhere"], "No such file"),
        (["--at", "9999-12-31T23:59:30Z"], "beyond the calendar"),
        (["--every", "1h", "--start", "0001-01-01T00:00+01:00"], "beyond the calendar"),
        (["--cron", "0 3 * * *", "--overlap", "perhaps"], "perhaps"),
        (["--cron", "0 3 * * *", "--on-failure", "stop"], "Say what follows"),
        ([], "exactly one of cron, every and at"),
    ],
)
def test_bad_input_is_answered_on_standard_error_and_nothing_is_written(
    run: Run, arguments: list[str], message: str
) -> None:
    refused = run("create", "nightly", "halve", *arguments)
    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.replace("│", "").split())
    assert clients.scheduler().list_schedules()["Schedules"] == []


def test_lines_that_are_no_json_are_named(run: Run) -> None:
    refused = run("create", "n", "halve", "--cron", "0 3 * * *", "--params", "-", stdin='{"n": 2}\n{n: 4}\n')
    assert refused.exit_code == 2
    assert "line 2" in refused.stderr
