"""`background-jobs diff`, `instance`, `open`, `list --tag`, and what `results` and `cancel` take care of."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from background_jobs import OrchestrationService, job_name
from background_jobs.aws import clients
from background_jobs.core.views.comparison import Comparison
from background_jobs.core.views.instances import InstanceDetail
from background_jobs.jobs import Jobs
from background_jobs.orchestration_service.replaced_file import replacing
from background_jobs.settings import Settings
from tests.adapters.cli.commands import UNKNOWN, run, run_on_terminal

Launch = Callable[..., None]


def test_a_rerun_is_compared_with_the_instances_that_it_runs_again(
    service: OrchestrationService, launch: Launch, aggregate_completion: Callable[[], None], done: str
) -> None:
    # given a rerun of the instances 1 and 3 that can halve 3, and fails at 5 in another way
    @job_name("halve")
    def halve(params: dict[str, int]) -> float:
        if params["n"] == 5:
            raise TypeError("5 is odd")
        return params["n"] / 2

    again = run("rerun", done, "--parallelism", "1").stdout.strip()
    launch(service.orchestration(again), jobs=Jobs([halve]))
    aggregate_completion()
    compared = Comparison.model_validate_json(run("diff", done, again, "--json").stdout)
    # then its index 0 is compared with index 1
    assert [(one.index, one.later_index, one.before, one.after) for one in compared.changed] == [
        (1, 0, "Errored", "Completed")
    ]
    assert (compared.in_both, compared.changed_count) == (2, 1)
    # and causes are told apart by what was raised
    assert [(cause.type, cause.after) for cause in compared.new] == [("TypeError", 1)]
    assert [(cause.type, cause.before) for cause in compared.gone] == [("ValueError", 2)]
    shown = " ".join(run_on_terminal("diff", done, again).stdout.split())
    assert "1 of 2 instances of both have another status now." in shown
    assert "1, now 0 Errored Completed" in shown
    assert "gone 2 0 ValueError: 3 is odd" in shown


def test_two_runs_are_compared_by_index_and_one_with_itself_does_not_differ(
    service: OrchestrationService, launch: Launch, aggregate_completion: Callable[[], None], done: str
) -> None:
    other = service.kick_off_job("halve", [{"n": n} for n in (2, 4, 4, 5)], parallelism=1)
    launch(other)
    aggregate_completion()
    compared = other.compare(done)
    assert [(one.index, one.later_index) for one in compared.changed] == [(1, 1)]
    assert [(cause.before, cause.after) for cause in compared.same] == [(2, 1)]
    same = service.orchestration(done).compare(done)
    assert (same.changed, same.in_both, len(same.same)) == ([], 4, 1)


def test_an_instance_is_shown_with_its_container_its_attempts_and_its_traceback(done: str) -> None:
    detail = InstanceDetail.model_validate_json(run("instance", done, "1", "--json").stdout)
    assert [(one.share, one.first, one.last) for one in detail.containers] == [(0, 0, 3)]
    shown = run_on_terminal("instance", done, "1").stdout
    for text in (
        "attempts   1\n",
        "container  share 0 with instances 0 to 3",
        "ValueError: 3 is odd",
        "Traceback",
    ):
        assert text in "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    assert "params.n\t3\n" in run("instance", done, "1").stdout


def test_the_page_of_an_orchestration_is_printed_and_on_a_terminal_opened(
    done: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run("open", done)
    assert (refused.exit_code, "BACKGROUND_JOBS_API_URL" in refused.stderr) == (2, True)
    monkeypatch.setenv("BACKGROUND_JOBS_API_URL", "https://jobs.example.com/prod/")
    page = f"https://jobs.example.com/prod/#/orchestrations/{done}"
    with patch("typer.launch", return_value=0) as launched:
        assert run("open", done[:8]).stdout == f"{page}\n"
        launched.assert_not_called()
        assert run_on_terminal("open", "-").stdout == f"{page}\n"
        launched.assert_called_once_with(page)
        assert run("open", UNKNOWN).exit_code == 2


def test_orchestrations_are_found_by_any_tags_and_paged(
    service: OrchestrationService, aggregate: Callable[[], list[Any]]
) -> None:
    ids = [
        service.kick_off_job("other", [], tags={"run": str(n % 2), "customer": "acme"}).id for n in range(6)
    ]
    assert aggregate() == []

    def found(*words: str) -> list[str]:
        return [line.split("\t")[0] for line in run("list", *words).stdout.splitlines()]

    assert found("--tag", "run=1") == ids[5::-2]
    assert found("--tag", "run=1", "--tag", "customer=acme") == ids[5::-2]
    assert found("--tag", "run=1", "--tag", "customer=zeta") == found("--tag", "run=7") == []
    first = service.history(tags={"run": "0"}, limit=2)
    assert first.next_token is not None
    rest = service.history(tags={"run": "0"}, limit=2, next_token=first.next_token)
    assert [one.orchestration_id for page in (first, rest) for one in page.summaries] == ids[4::-2]
    assert rest.next_token is None


def test_cancelling_asks_on_a_terminal_and_no_cancels_nothing(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("other", [{"n": 1}])
    with patch("background_jobs.cli.cancel.asks_people", return_value=True):
        kept = run_on_terminal("cancel", orchestration.id, stdin="n\n")
        assert (kept.exit_code, orchestration.view().cancelled) == (2, False)
        assert f"other {orchestration.id}: 1 of 1 instances have no outcome yet." in kept.stderr
        assert "Nothing was cancelled." in kept.stderr
        assert run("cancel", orchestration.id, "--yes").stdout == "requested\n"
        assert "It was cancelled before." in run_on_terminal("cancel", orchestration.id, stdin="y\n").stdout


def test_results_that_can_be_read_are_written_and_those_that_are_gone_are_named(
    service: OrchestrationService,
    launch: Launch,
    aggregate_completion: Callable[[], None],
    settings: Settings,
    tmp_path: Path,
) -> None:
    # given three large results, of which one has expired
    @job_name("halve")
    def halve(params: dict[str, int]) -> str:
        return "x" * 100_000 * params["n"]

    orchestration = service.kick_off_job("halve", [{"n": n} for n in (1, 2, 3)], parallelism=1)
    launch(orchestration, jobs=Jobs([halve]))
    aggregate_completion()
    stored = clients.s3().list_objects_v2(Bucket=settings.payload_bucket)["Contents"]
    (expired,) = (item["Key"] for item in stored if 200_000 <= item["Size"] < 300_000)
    clients.s3().delete_object(Bucket=settings.payload_bucket, Key=expired)
    # then the others are there, it is named, and the status is that of a failure
    written = run("results", orchestration.id, "-o", str(tmp_path / "results.jsonl"))
    assert written.exit_code == 3
    assert "The results of instance 1 are not in the bucket any more" in written.stderr
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2
    assert len(run("results", orchestration.id).stdout.splitlines()) == 2


def test_a_file_of_results_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("before")
    file.chmod(0o640)
    with suppress(ConnectionError), replacing(file) as part:
        part.write("half")
        raise ConnectionError
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(file.name, "before")]
    with replacing(file) as part:
        part.write("after")
        assert file.read_text() == "before"
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(file.name, "after")]
    assert file.stat().st_mode & 0o777 == 0o640


def test_results_are_written_to_what_is_no_file_as_well(tmp_path: Path) -> None:
    with replacing(Path(os.devnull)) as nowhere:
        nowhere.write("results")
    assert Path(os.devnull).is_char_device()
