"""`background-jobs logs`: what containers wrote, and where."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.events import ContainerStarted
from background_jobs.local_stack.processes import STACK_ID
from background_jobs.local_stack.stack import log_folder
from tests.adapters.cli.commands import EVIL, HARMLESS, run

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def record(message: str, second: int, index: int, logger: str = "shop") -> str:
    at = (AT + timedelta(seconds=second)).isoformat()
    known = {"timestamp": at, "level": "INFO", "logger": logger, "message": message}
    return json.dumps(known | {"orchestration_id": "o", "index": index, "attempt": 1}) + "\n"


@pytest.fixture
def begin(stores: Stores) -> Callable[..., None]:
    """Note that a container took up a share, and where it writes."""

    def begin(orchestration: Orchestration, log: str, share: int, first: int, last: int) -> None:
        stores.event_log.append(
            ContainerStarted(
                orchestration_id=orchestration.id, at=stores.event_log.read_started(orchestration.id).at,
                share=share, launch=0, first=first, last=last, log=log,
            )
        )  # fmt: skip

    return begin


@pytest.fixture
def orchestration(service: OrchestrationService, begin: Callable[..., None], tmp_path: Path) -> Orchestration:
    """An orchestration of two containers, whose lines alternate."""
    orchestration = service.kick_off_job("other", [{}] * 4, parallelism=2)
    logs = [tmp_path / "0.log", tmp_path / "1.log"]
    logs[0].write_text(record(f"of 0 {EVIL}", 1, 0) + record("of 1\nin two lines", 3, 1))
    logs[1].write_text(record("of 2", 2, 2) + record("noise", 2, 2, "background_jobs.worker") + "raw")
    for share, log in enumerate(logs):
        begin(orchestration, str(log), share, 2 * share, 2 * share + 1)
    return orchestration


def test_the_logs_of_all_containers_are_printed_by_time(orchestration: Orchestration) -> None:
    assert run("logs", orchestration.id).stdout == (
        f"2026-11-24T09:30:01.000Z\t0\tof 0 {HARMLESS}\n"
        "2026-11-24T09:30:02.000Z\t2\tof 2\n"
        "\t\traw\n"
        "2026-11-24T09:30:03.000Z\t1\tof 1\n"
        "2026-11-24T09:30:03.000Z\t1\tin two lines\n"
    )
    assert "noise" in run("logs", orchestration.id, "--all").stdout
    late = run("logs", orchestration.id, "--since", "2026-11-24T09:30:03Z").stdout
    assert [line.split("\t")[2] for line in late.splitlines()] == ["of 1", "in two lines"]


def test_the_log_of_an_instance_is_printed(orchestration: Orchestration) -> None:
    assert [line.split("\t")[2] for line in run("logs", orchestration.id, "1").stdout.splitlines()] == [
        "of 1",
        "in two lines",
    ]
    assert run("logs", orchestration.id, "--index", "1").stdout == run("logs", orchestration.id, "1").stdout
    line, *_ = run("logs", orchestration.id, "0", "--json").stdout.splitlines()
    printed = json.loads(line)
    assert (printed["message"], printed["index"], printed["share"]) == (f"of 0 {EVIL}", 0, 0)


def test_the_containers_are_listed_with_their_logs(orchestration: Orchestration, tmp_path: Path) -> None:
    assert run("logs", orchestration.id, "--places").stdout == (
        f"0\t0-1\t0\t{tmp_path / '0.log'}\n1\t2-3\t0\t{tmp_path / '1.log'}\n"
    )
    lines = run("logs", orchestration.id, "--places", "--json").stdout.splitlines()
    assert [ContainerStarted.model_validate_json(line).share for line in lines] == [0, 1]


def test_what_cannot_be_read_is_said(orchestration: Orchestration, tmp_path: Path) -> None:
    (tmp_path / "0.log").unlink()
    refused = run("logs", orchestration.id)
    assert (refused.exit_code, "0.log' is not there" in refused.stderr) == (3, True)
    assert "of 2" in refused.stdout
    absent = run("logs", orchestration.id, "10")
    assert (absent.exit_code, "10" in absent.stderr) == (2, True)


def test_offline_the_folder_of_the_logs_is_named_where_no_container_has_begun(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container whose main cannot be loaded has a log, and no event that names it."""
    orchestration = service.kick_off_job("other", [{}])
    monkeypatch.setenv(STACK_ID, "0b0e3f3c")
    for words in ([], ["--places"]):
        said = run("logs", orchestration.id, *words).stderr
        assert f"The logs of the offline stack's containers are in {log_folder('0b0e3f3c')}" in said


def test_the_address_of_cloudwatch_has_the_region_the_group_and_the_query(
    service: OrchestrationService, begin: Callable[..., None]
) -> None:
    orchestration = service.kick_off_job("other", [{}])
    group, stream = "/team/jobs", "default/job/0123abc"
    clients.logs().create_log_group(logGroupName=group)
    clients.logs().create_log_stream(logGroupName=group, logStreamName=stream)
    begin(orchestration, f"{group}/{stream}", 0, 0, 0)
    (url,) = run("logs", orchestration.id, "0", "--url").stdout.splitlines()
    assert url.startswith(
        "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:logs-insights"
    )
    assert url.endswith("~source~(~'*2fteam*2fjobs))")
    assert "*40logStream*20in*20*5b*22default*2fjob*2f0123abc*22*5d" in url
    assert orchestration.log_page(0).cloudwatch_url.startswith(url.partition("$3F")[0])
