"""The commands over moto: what they print for people, for programs, and when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from background_jobs import OrchestrationService, Stage, job_name
from background_jobs.aws.stores import Stores
from background_jobs.cli.main import app
from background_jobs.control_plane.kick_off_job import start_next
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import ContainerStarted, ShareDelayed
from background_jobs.core.ids import next_stage_id
from background_jobs.core.views.causes import Cause
from background_jobs.core.views.orchestration import CancelAnswer, KickOffAnswer, OrchestrationPage
from background_jobs.core.views.orchestration_detail import OrchestrationDetail
from background_jobs.core.views.outcomes import FailureView, SuccessView
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings

UNKNOWN = "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11"
EVIL = "\x1b[2J\x1b]0;owned\x07[red]red[/red]\u202e"
HARMLESS = "�[2J�]0;owned�[red]red[/red]�"


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.model_copy(update={"job_names": ("halve", "other")}).to_env().items():
        monkeypatch.setenv(name, value)


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, words, input=stdin)


@pytest.fixture
def done(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], list[Any]]
) -> str:
    """An orchestration that ended: 2 and 4 halved, 3 and 5 refused."""
    orchestration = service.kick_off_job(
        "halve", [{"n": n} for n in (2, 3, 4, 5)], parallelism=1, tags={"customer": "acme"}
    )
    launch(orchestration)
    for _ in ("the outcomes", "the completion"):
        assert aggregate() == []
    return orchestration.id


def test_a_kick_off_prints_the_id_alone_and_tells_people_how_to_go_on(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("n,customer\n2,acme\n3,zeta\n")
    words = ["--parallelism", "1", "--tag", "customer=acme", "--tag", "note=a=b", "--max-attempts", "4"]

    done = run(
        "kick-off", "halve", str(tmp_path / "p.csv"), *words, "--timeout", "2h", "--service", "billing"
    )

    assert done.exit_code == 0, done.output
    orchestration_id = done.stdout.strip()
    assert done.stderr == (
        f"Kicked off halve with 2 instances:\nWatch it: background-jobs watch {orchestration_id}\n"
    )
    started = stores.event_log.read_started(orchestration_id)
    assert (started.total, started.parallelism, started.service) == (2, 1, "billing")
    assert started.tags == {"customer": "acme", "note": "a=b"}
    assert started.retry is not None
    assert started.retry.max_attempts == 4
    assert started.deadline is not None
    assert (started.deadline - started.at).total_seconds() == 7_200
    assert list(stores.payloads.lines(started.params_key)) == [
        b'{"n":"2","customer":"acme"}',
        b'{"n":"3","customer":"zeta"}',
    ]


def test_params_come_from_standard_input_and_a_key_finds_the_first_kick_off() -> None:
    first = run("kick-off", "halve", "-", "--key", "nightly", "--json", stdin='{"n": 2}\n')
    second = run("kick-off", "halve", "--key", "nightly", "--json", stdin='[{"n": 2}]')
    other = run("kick-off", "halve", "--key", "nightly", stdin='{"n": 4}')
    assert first.stdout == second.stdout
    assert KickOffAnswer.model_validate_json(first.stdout).job_name == "halve"
    assert (first.stderr, other.exit_code) == ("", 2)
    assert "The key 'nightly' belongs to orchestration" in other.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"n": 2}\n\n[3]\n', "standard input, line 3: they must be a JSON object"),
        ('{"n": 2}\n{"n": NaN}\n', "standard input, line 2: they cannot be written as JSON"),
        ('[{"n": 2}, 3]', "standard input, index 1: they must be a JSON object"),
        ('{"n": 2}\n{"n": }\n', "standard input, line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_started(text: str, said: str) -> None:
    refused = run("kick-off", "halve", stdin=text)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Error: {said}")
    assert refused.stderr.endswith("Nothing was started.\n")
    assert OrchestrationPage.model_validate_json(run("list", "--json").stdout).orchestrations == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kick-off", "havle"], "There is no job named 'havle'. This service has: 'halve', 'other'."),
        (["kick-off", "halve", "nowhere.jsonl"], "Error: nowhere.jsonl: No such file"),
        (["kick-off", "halve", "--tag", "acme"], "'acme' is no tag; write NAME=VALUE."),
        (["kick-off", "halve", "--timeout", "8x"], "'8x' is no span of time"),
        (["kick-off", "halve", "--timeout", "8d"], "A timeout of 691200.0 s cannot be"),
        (["kick-off", "halve", "--parallelism", "101"], "parallelism=101 must be from 1 to 100"),
        (["kick-off", "halve", "--max-attempts", "0"], "greater than or equal to 1"),
        (["kick-off", "halve", "--then", "havle"], "There is no job named 'havle'."),
        (["kick-off", "halve", "--then", ""], "'' is no job name."),
        (["kick-off", "halve", "--on-failure", "continue"], "name that with --then"),
        (["kick-off", "halve", "--then", "other", "--on-failure", "wait"], "'wait' is not one of"),
        (["rerun", UNKNOWN, "--max-attempts", "101"], "less than or equal to 100"),
        (["rerun", UNKNOWN, "--timeout", "soon"], "'soon' is no span of time"),
        (["results", UNKNOWN, "--merged"], f"There is no orchestration '{UNKNOWN}' here."),
        (["watch", "--pipeline", UNKNOWN], f"There is no orchestration '{UNKNOWN}' here."),
        (["watch", UNKNOWN], f"There is no orchestration '{UNKNOWN}' here."),
        (["show", "not-an-id"], "There is no orchestration 'not-an-id' here."),
        (["logs", UNKNOWN, "--follow"], "It needs --index"),
        (["list", "--since", "yesterday"], "'yesterday' is no moment"),
        (["list", "--since", "9999-12-31T23:59:59-12:00"], "is no moment"),
        (["list", "--next-token", "made-up"], "This is no token of a page before"),
        (["list", "--status", "lost"], "'lost' is not one of"),
        (["results", UNKNOWN, "--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_status_2(words: list[str], said: str) -> None:
    refused = run(*words, stdin='{"n": 2}')
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in refused.stderr


def test_missing_settings_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKGROUND_JOBS_STAGE", "BACKGROUND_JOBS_PAYLOAD_BUCKET"):
        monkeypatch.delenv(name)
    for words in (["list"], ["watch", UNKNOWN], ["kick-off", "halve"], ["rerun", UNKNOWN]):
        refused = run(*words, stdin="")
        assert refused.exit_code == 2
        assert "environment: BACKGROUND_JOBS_PAYLOAD_BUCKET, BACKGROUND_JOBS_STAGE." in refused.stderr


def test_what_aws_refuses_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKGROUND_JOBS_READ_MODEL_TABLE", "a-table-of-nobody")
    refused = run("list")
    assert refused.exit_code == 2
    assert "ResourceNotFoundException" in refused.stderr
    assert "Check what your credentials may do" in refused.stderr


def test_a_list_for_programs_has_a_line_for_each_and_json_has_all_of_them(
    service: OrchestrationService, aggregate: Callable[[], list[Any]], done: str
) -> None:
    other = service.kick_off_job("other", [{"n": 1}, {"n": 2}], tags={"customer": "zeta", "run": "7"}).id
    assert aggregate() == []

    rows = [line.split("\t") for line in run("list").stdout.splitlines()]
    assert [row[:6] for row in rows] == [
        [other, "other", "InProgress", "2", "0", "0"],
        [done, "halve", "Errored", "4", "2", "2"],
    ]
    assert [row[7] for row in rows] == ["customer=zeta run=7", "customer=acme"]
    page = OrchestrationPage.model_validate_json(run("list", "--json").stdout)
    assert [view.orchestration_id for view in page.orchestrations] == [other, done]

    def found(*words: str) -> list[str]:
        return [line.split("\t")[0] for line in run("list", *words).stdout.splitlines()]

    assert (
        found("--job", "other") == found("--status", "inprogress") == found("--customer", "zeta") == [other]
    )
    assert found("--customer", "acme", "--job", "other") == found("--until", "2h") == []
    assert found("--since", "2h", "--until", "2999-01-01") == [other, done]


def test_a_list_is_paged_by_the_token_in_its_json(
    service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    ids = [service.kick_off_job("other", []).id for _ in range(3)]
    assert aggregate() == []
    first = run("list", "--limit", "2", "--json")
    token = OrchestrationPage.model_validate_json(first.stdout).next_token
    assert token is not None
    rest = run("list", "--limit", "2", "--json", "--next-token", token)
    pages = [OrchestrationPage.model_validate_json(page.stdout) for page in (first, rest)]
    assert [view.orchestration_id for page in pages for view in page.orchestrations] == ids[::-1]
    assert "There are more" in run("list", "--limit", "2").stderr
    assert "There are more" not in run("list", "--limit", "3").stderr


def test_an_orchestration_is_shown_at_a_glance(done: str) -> None:
    shown = run("show", done).stdout
    assert shown.splitlines()[0] == f"halve  {done}"
    assert "4 of 4 (100 %)" in shown
    assert "2 completed   2 errored" in shown
    for fact in ("status      Errored 2", "service     default", "tags        customer=acme"):
        assert fact in shown
    assert "containers  1 launched, ran " in shown
    assert "cost        about $0.0" in shown
    assert "an estimate for 0.5 vCPU and 1 GB a container" in " ".join(shown.split())
    for event in ("OrchestrationStarted", "ContainerStarted", "ContainerEnded", "OrchestrationCompleted"):
        assert f"  {event}" in shown
    assert "2 completed, 2 errored" in shown
    account = OrchestrationDetail.model_validate_json(run("show", done, "--json").stdout)
    assert (account.orchestration.counts.errored, account.event_history.failed_attempts) == (2, 0)
    assert [stage.job_name for stage in account.stages] == ["halve"]
    assert {line.service for line in account.bill.lines} >= {"Fargate", "DynamoDB"}


def test_why_instances_wait_is_shown_with_what_aws_said(
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
) -> None:
    # given five instances in three shares: one share is done, one was refused, one is still to be launched
    orchestration = service.kick_off_job("halve", [{"n": 2}] * 5, parallelism=3)
    launch(orchestration, share=2)
    stores.event_log.append(
        ShareDelayed(
            orchestration_id=orchestration.id,
            at=stores.event_log.read_started(orchestration.id).at,
            share=1,
            number=0,
            reason=DelayReason.CAPACITY,
            detail=f"RESOURCE:CPU {EVIL}",
        )
    )
    assert aggregate() == []
    shown = " ".join(run("show", orchestration.id).stdout.split())
    assert "2 wait waiting for launch since 2" in shown
    assert f"2 wait {DelayReason.CAPACITY} since 2" in shown
    assert f"RESOURCE:CPU {HARMLESS}" in shown
    account = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
    assert [wait.instances for wait in account.event_history.waits] == [2, 2]


def test_of_a_long_timeline_the_first_and_the_last_are_shown(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("other", [{}] * 30, parallelism=30)
    began = stores.event_log.read_started(orchestration.id).at
    for share in range(30):
        stores.event_log.append(
            ContainerStarted(
                orchestration_id=orchestration.id, at=began + timedelta(seconds=share + 1),
                share=share, launch=0, first=share, last=share, log="",
            )
        )  # fmt: skip
    timeline = run("show", orchestration.id).stdout
    assert timeline.count("ContainerStarted") == 19
    assert "11 more, --json has them all" in timeline
    assert "share 8: instances 8 to 8" in timeline
    assert "share 19:" not in timeline
    account = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
    assert len(account.event_history.timeline) == 31


@pytest.fixture
def to_the_end(
    stores: Stores, settings: Settings, launch: Callable[..., None], aggregate: Callable[[], list[Any]]
) -> Callable[..., str]:
    """Run an orchestration to its end, and start what follows; return the id that the next stage has."""

    def run(orchestration_id: str, jobs: Jobs | None = None) -> str:
        for share in range(stores.event_log.read_started(orchestration_id).parallelism):
            launch(OrchestrationService(settings).orchestration(orchestration_id), share, jobs=jobs)
        for _ in ("the outcomes", "the completion"):
            assert aggregate() == []
        start_next(orchestration_id, stores, settings)
        assert aggregate() == []
        return next_stage_id(orchestration_id)

    return run


def kicked_off(*words: str, stdin: str) -> str:
    done = run("kick-off", "halve", "--parallelism", "1", *words, stdin=stdin)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_a_pipeline_is_shown_and_watched_stage_by_stage(to_the_end: Callable[..., str]) -> None:
    # given three stages, of which the first is done
    first = kicked_off("--then", "halve", "--then", "other", stdin='{"n": 2}\n{"n": 4}\n')
    second = to_the_end(first)
    # then `show` has a line for each, from whichever one looks
    for stage in (first, second):
        shown = run("show", stage).stdout
        rows = [line.split() for line in shown.splitlines() if line[:1] in {"1", "2", "3"}]
        assert ["1", "halve", "Completed", "2", "of", "2", first] in rows
        assert ["2", "halve", "InProgress", "0%", "0", "of", "2", second] in rows
        assert ["3", "other", "to", "come"] in rows
    assert f"follows     {first}" in run("show", second).stdout
    # when the second errs, for its params have no n
    to_the_end(second)
    # then it is watched from stage to stage, and what was not started is told
    watched = run("watch", "--pipeline", first)
    assert watched.exit_code == 1
    lines = [line[len("12:00:00 ") :] for line in watched.stdout.splitlines()]
    assert lines.index(f"halve {first}") < lines.index(f"halve {second}")
    reason = "2 of 2 instances of stage 2 errored."
    assert f"Stage 3, other, was not started: {reason}" in watched.stderr
    assert "skipped: 2 of 2" in " ".join(run("show", second).stdout.split())
    assert "done already" in run("cancel", "--pipeline", second).stdout


def test_a_pipeline_is_cancelled_as_one() -> None:
    first = kicked_off("--then", "halve", stdin='{"n": 2}')
    assert "no further stage starts" in run("cancel", "--pipeline", first, "--reason", "wrong month").stdout
    assert run("cancel", "--pipeline", first).stdout == "It was cancelled before.\n"


def test_a_pipeline_that_ends_well_is_watched_with_status_0(to_the_end: Callable[..., str]) -> None:
    @job_name("halve")
    def halve(params: dict[str, int]) -> dict[str, int]:
        return {"n": params["n"] // 2}

    first = kicked_off("--then", "halve", stdin='{"n": 4}')
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


def test_results_come_in_the_order_of_the_params(done: str, tmp_path: Path) -> None:
    assert run("results", done).stdout == '0\t{"n": 2}\t1\n2\t{"n": 4}\t2\n'
    lines = run("results", done, "--json").stdout
    successes = [SuccessView.model_validate_json(line) for line in lines.splitlines()]
    assert [(one.index, one.params, one.result) for one in successes] == [(0, {"n": 2}, 1), (2, {"n": 4}, 2)]
    assert len(run("results", done, "--limit", "1").stdout.splitlines()) == 1

    written = run("results", done, "--output", str(tmp_path / "results.jsonl"))
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "results.jsonl").read_text() == lines
    nowhere = run("results", done, "--output", str(tmp_path / "no" / "results.jsonl"))
    assert (nowhere.exit_code, "No such file or directory" in nowhere.stderr) == (2, True)


def test_waiting_for_results_tells_by_its_status_whether_all_completed(
    service: OrchestrationService, aggregate: Callable[[], list[Any]], done: str
) -> None:
    nothing = service.kick_off_job("other", []).id
    assert aggregate() == []
    assert run("results", done).exit_code == 0
    assert run("results", "--wait", done).exit_code == 1
    assert run("results", "--wait", nothing).exit_code == 0


def test_failures_are_grouped_by_cause_and_told_in_full(done: str) -> None:
    brief = run("failures", done)
    assert brief.stdout.startswith("2x ValueError: 3 is odd\n    at ")
    assert brief.stdout.endswith("    index 1, 3\n")
    assert brief.stderr == f"In full: background-jobs failures --full {done}\n"
    full = run("failures", "--full", done)
    assert full.stderr == ""
    assert full.stdout.startswith(brief.stdout)
    for said in ("#1 ValueError: 3 is odd", '    params    {"n": 3}', 'raise ValueError(f"', "#3 ValueError"):
        assert said in full.stdout

    (cause,) = [
        Cause.model_validate_json(line) for line in run("failures", done, "--json").stdout.splitlines()
    ]
    assert (cause.count, cause.indices) == (2, [1, 3])
    lines = run("failures", done, "--full", "--json").stdout.splitlines()
    each = [FailureView.model_validate_json(line) for line in lines]
    assert [(one.index, one.params) for one in each] == [(1, {"n": 3}), (3, {"n": 5})]


def test_no_failure_is_said_so(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("other", [])
    assert run("failures", orchestration.id).stderr == "No instance has errored.\n"
    assert run("failures", orchestration.id, "--json").output == ""


def test_cancelling_says_what_it_found(service: OrchestrationService, stores: Stores, done: str) -> None:
    orchestration = service.kick_off_job("other", [{"n": 1}])
    first = run("cancel", orchestration.id, "--reason", "wrong month", "--json")
    assert CancelAnswer.model_validate_json(first.stdout).found == "requested"
    cancellation = stores.event_log.read_cancelled(orchestration.id)
    assert cancellation is not None
    assert cancellation.reason == "wrong month"
    assert run("cancel", orchestration.id).stdout == "It was cancelled before.\n"
    assert "done already" in run("cancel", done).stdout


def test_a_rerun_prints_the_new_id(stores: Stores, done: str) -> None:
    again = run("rerun", done)
    assert "Kicked off halve with 2 instances:" in again.stderr
    started = stores.event_log.read_started(again.stdout.strip())
    assert (started.parent_id, started.total) == (done, 2)
    assert f"runs again  2 failed of {done}" in run("show", again.stdout.strip()).stdout
    every = KickOffAnswer.model_validate_json(run("rerun", done, "--only", "all", "--json").stdout)
    assert stores.event_log.read_started(every.orchestration_id).total == 4
    assert f"runs again  all 4 of {done}" in run("show", every.orchestration_id).stdout
    assert every.orchestration_id in "".join(run("show", done).stdout.split())


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


def test_merged_results_are_one_answer_over_all_reruns(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], list[Any]], done: str
) -> None:
    # given a rerun as new code, which has learned to halve 3, and still refuses 5
    @job_name("halve")
    def halve(params: dict[str, int]) -> float:
        if params["n"] == 5:
            raise ValueError("5 is odd")
        return params["n"] / 2

    again = run("rerun", done).stdout.strip()
    launch(service.orchestration(again), jobs=Jobs([halve]))
    for _ in ("the outcomes", "the completion"):
        assert aggregate() == []
    merged = run("results", "--merged", done)
    assert merged.stdout == '0\t{"n": 2}\t1\n1\t{"n": 3}\t1.5\n2\t{"n": 4}\t2\n'
    assert merged.exit_code == 1
    assert len(run("results", "--merged", done, "--json", "--limit", "2").stdout.splitlines()) == 2


def test_a_cause_says_which_params_its_failures_share(
    launch: Callable[..., None], aggregate: Callable[[], list[Any]], service: OrchestrationService
) -> None:
    params = [{"n": n, "region": region} for n, region in ((3, "eu"), (5, "eu"), (2, "eu"), (4, "us"))]
    orchestration = service.kick_off_job("halve", params, parallelism=1)
    launch(orchestration)
    assert aggregate() == []
    told = run("failures", orchestration.id).stdout
    assert "    always has region=eu (as have 3 of 4 instances)\n" in told
    (line,) = run("failures", orchestration.id, "--json").stdout.splitlines()
    (common,) = Cause.model_validate_json(line).common
    assert (common.name, common.value, common.instances) == ("region", "eu", 3)


def test_logs_are_listed_and_read_by_index(
    service: OrchestrationService, stores: Stores, tmp_path: Path
) -> None:
    orchestration = service.kick_off_job("other", [{}] * 10, parallelism=2)
    logs = [tmp_path / f"{n}.log" for n in range(3)]
    for log, (share, launch, first, last) in zip(
        logs, [(0, 0, 0, 4), (1, 0, 5, 9), (1, 1, 5, 9)], strict=True
    ):
        log.write_text(f"{log.stem} says {EVIL}\nlast words")
        stores.event_log.append(
            ContainerStarted(
                orchestration_id=orchestration.id,
                at=stores.event_log.read_started(orchestration.id).at,
                share=share, launch=launch, first=first, last=last, log=str(log),
            )
        )  # fmt: skip

    assert run("logs", orchestration.id).stdout == (
        f"0\t0-4\t0\t{logs[0]}\n1\t5-9\t0\t{logs[1]}\n1\t5-9\t1\t{logs[2]}\n"
    )
    lines = run("logs", orchestration.id, "--json").stdout.splitlines()
    assert [ContainerStarted.model_validate_json(line).log for line in lines] == list(map(str, logs))
    # the log of an instance is that of its container, and of the one before which was lost
    assert run("logs", orchestration.id, "--index", "7").stdout == (
        f"1 says {HARMLESS}\nlast words\n2 says {HARMLESS}\nlast words\n"
    )
    line, _ = run("logs", orchestration.id, "--index", "0", "--json").stdout.splitlines()
    assert json.loads(line) == {"at": None, "message": f"0 says {EVIL}"}
    for words, said in ((["--index", "10"], "has taken up instance 10."), (["--index", "0"], "is not there")):
        logs[0].unlink(missing_ok=True)
        refused = run("logs", orchestration.id, *words)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_nothing_that_others_wrote_acts_on_a_terminal(
    service: OrchestrationService, launch: Callable[..., None], aggregate: Callable[[], list[Any]]
) -> None:
    # given params, tags and an error message of somebody who means harm
    @job_name("halve")
    def harm(params: dict[str, str]) -> None:
        if params["n"] == EVIL:
            raise ValueError(params["n"])

    params = [{"n": EVIL}, {"n": EVIL}, {"n": "plain"}]
    orchestration = service.kick_off_job("halve", params, tags={"customer": EVIL, EVIL: "x"}, parallelism=1)
    launch(orchestration, jobs=Jobs([harm]))
    for _ in ("the outcomes", "the completion"):
        assert aggregate() == []

    # then people see that something is there, and their terminals do nothing
    for words in (["list"], ["show"], ["failures"], ["failures", "--full"], ["watch"]):
        names = [] if words == ["list"] else [orchestration.id]
        printed = run(*words, *names)
        assert "\x1b" not in printed.output
        assert "\x07" not in printed.output
        assert "\u202e" not in printed.output
    assert f"always has n={HARMLESS}" in run("failures", orchestration.id).stdout
    cancelled = service.kick_off_job("other", [{}])
    cancelled.cancel(EVIL)
    assert HARMLESS in run("show", cancelled.id).stdout
    assert HARMLESS in run("list").stdout
    assert HARMLESS in run("failures", "--full", orchestration.id).stdout
    # and programs get what was written
    full, _ = run("failures", orchestration.id, "--full", "--json").stdout.splitlines()
    assert FailureView.model_validate_json(full).params == {"n": EVIL}


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("kick-off ", ["halve", "other"]),
        ("kick-off ha", ["halve"]),
        ("list --job o", ["other"]),
        ("list --status E", ["Errored"]),
        ("rerun --only ", ["failed", "all"]),
        ("kick-off halve --then ot", ["other"]),
        ("kick-off halve --on-failure ", ["stop", "continue"]),
        ("show ", []),
        ("re", ["results", "rerun", "rebuild"]),
    ],
)
def test_completion_knows_commands_choices_and_the_jobs_in_the_settings(
    words: str, completed: list[str]
) -> None:
    line = f"background-jobs {words}"
    environment = {
        "_BACKGROUND_JOBS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    answer = CliRunner().invoke(app, env=environment, prog_name="background-jobs")
    assert answer.stdout.split() == completed


def test_completion_is_silent_where_there_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKGROUND_JOBS_STAGE")
    environment = {
        "_BACKGROUND_JOBS_COMPLETE": "complete_bash",
        "COMP_WORDS": "background-jobs kick-off ",
        "COMP_CWORD": "2",
    }
    answer = CliRunner().invoke(app, env=environment, prog_name="background-jobs")
    assert answer.output.strip() == ""


def test_help_and_completion_load_neither_the_client_of_aws_nor_the_models() -> None:
    look = "import sys, background_jobs.cli.main; print(*{'boto3', 'pydantic', 'rich', 'croniter'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
