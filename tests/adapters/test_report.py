"""The report of an orchestration, its containers, its cost and its comparison: SDK, API and command line."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService, Settings
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import (
    ContainerStarted,
    JobError,
    JobErrored,
    ShareDelayed,
)
from background_jobs.core.views.containers import ContainerPage
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings
from tests.adapters.cli.commands import run
from tests.adapters.test_event_history import HOUR
from tests.memory import append_events

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x00&amp;"
_VOID = {"meta", "img", "br", "input", "link"}


class Elements(HTMLParser):
    """The names and attributes of all elements of a page, and whether each one is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def api(settings: Settings) -> TestClient:
    return TestClient(create_app(settings, ApiSettings(allowed_hosts=("testserver",))))


@pytest.fixture(autouse=True)
def variables(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)


def test_the_containers_and_the_cost_are_the_same_in_api_and_command_line(
    done: str, api: TestClient, stores: Stores
) -> None:
    # given an orchestration with a container that ended, and one that was lost
    begun = stores.event_log.read_started(done).at
    lost = {"orchestration_id": done, "share": 1}
    stores.event_log.append(ContainerStarted(at=begun, launch=0, first=4, last=4, memory_mib=1024, **lost))
    stores.event_log.append(
        ShareDelayed(at=begun + HOUR, number=0, reason=DelayReason.LOST, detail="Spot", **lost)
    )

    page = ContainerPage.model_validate(api.get(f"/orchestrations/{done}/containers").json())
    assert [(one.share, one.state, one.reason) for one in page.items] == [
        (0, "ended", ""),
        (1, "lost", "the container was lost (Spot)"),
    ]
    assert ContainerPage.model_validate_json(run("containers", done, "--json").stdout).items == page.items
    rows = [line.split("\t") for line in run("containers", done).stdout.splitlines()]
    assert [(row[0], row[3], row[7], row[8]) for row in rows] == [
        ("0", "ended", "", ""),
        ("1", "lost", "1024", "the container was lost (Spot)"),
    ]
    assert [line[0] for line in run("containers", done, "--state", "lost").stdout.splitlines()] == ["1"]
    first = run("containers", done, "--limit", "1")
    assert "--next-token 1" in first.stderr
    assert run("containers", done, "--limit", "1", "--next-token", "1").stdout.startswith("1\t0\t4-4\tlost")

    cost = api.get(f"/orchestrations/{done}/cost").json()
    assert cost["summary"].startswith("about $")
    assert (cost["region"], cost["is_offline"]) == ("us-east-1", False)
    assert cost["summary"] in " ".join(run("show", done).stdout.split())


def test_a_state_and_a_token_that_are_none_are_refused_in_a_sentence(done: str, api: TestClient) -> None:
    refused = run("containers", done, "--state", "gone")
    assert refused.exit_code == 2
    assert "use one of running, ended, failed, lost" in " ".join(refused.output.replace("│", "").split())
    assert api.get(f"/orchestrations/{done}/containers", params={"next_token": "x"}).status_code == 422
    assert api.get(f"/orchestrations/{done}/containers", params={"state": "gone"}).status_code == 422


def test_offline_a_cost_is_what_it_would_be_on_aws(done: str, settings: Settings) -> None:
    local = OrchestrationService(settings.model_copy(update={"environment": "local"}))
    assert local.orchestration(done).cost().summary.startswith("would cost about $")


def test_a_rerun_is_compared_with_its_original(
    service: OrchestrationService,
    done: str,
    launch: Callable[..., None],
    aggregate_completion: Callable[[], None],
    api: TestClient,
) -> None:
    rerun = service.rerun(done)
    launch(rerun)
    aggregate_completion()

    comparison = rerun.compare()
    assert comparison.before.orchestration_id == done
    assert (comparison.before.counts.errored, comparison.after.total) == (2, 2)
    assert [(one.before, one.after) for one in comparison.same] == [(2, 2)]
    assert (comparison.gone, comparison.new) == ([], [])
    asked = api.get(f"/orchestrations/{rerun.id}/comparison").json()
    assert asked["same"] == [one.model_dump(mode="json") for one in comparison.same]
    other = api.get(f"/orchestrations/{done}/comparison", params={"other": rerun.id}).json()
    assert other["before"]["orchestration_id"] == rerun.id
    # what is no rerun has no original
    refused = api.get(f"/orchestrations/{done}/comparison")
    assert refused.status_code == 422
    assert "is no rerun" in refused.text
    assert "Compared with the original" in rerun.report()


def test_a_report_has_all_of_a_run_in_one_file_that_is_there_whole_or_not_at_all(
    done: str, api: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = run("report", done)
    assert written.exit_code == 0, written.output
    assert f"report-{done[:8]}.html" in written.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"report-{done[:8]}.html"]
    assert run("report", done, "-o", "mine.html").exit_code == 0
    text = Elements(Path("mine.html").read_text()).text
    for part in (
        *("halve", done, "4 of 4 instances ended", "customer: acme", "Kicked off", "UTC"),
        *("2 of 4 instances failed, for 1 cause", '"n": 3', "Traceback of instance 1"),
        *("1 launch: 1 ended", "Fargate", "US dollars", "OrchestrationCompleted"),
    ):
        assert part in text, part
    assert run("report", done, "-o", "-").stdout.startswith("<!doctype html>")
    answer = api.get(f"/orchestrations/{done}/report")
    assert answer.headers["content-disposition"] == f'attachment; filename="report-{done}.html"'
    assert Elements(answer.text).text.count(done) >= 1
    missing = run("report", done, "-o", "no/such/folder/mine.html")
    assert missing.exit_code == 3
    assert "no/such/folder" in missing.output


def test_what_others_wrote_is_text_in_a_report(
    service: OrchestrationService, launch: Callable[..., None], stores: Stores, aggregate: Callable[[], Any]
) -> None:
    # given hostile params, tags, errors and reasons
    orchestration = service.kick_off_job(
        "halve", [{"n": HOSTILE}, {"n": 2}], parallelism=1, tags={"x": "</title><script>", "customer": "<b>"}
    )
    error = JobError(type=f"E{HOSTILE}", message=HOSTILE, traceback=HOSTILE)
    begun = stores.event_log.read_started(orchestration.id).at
    place = {"orchestration_id": orchestration.id, "at": begun}
    append_events(
        stores,
        ContainerStarted(share=0, launch=0, first=0, last=1, **place),
        ShareDelayed(share=0, number=0, reason=DelayReason.LOST, detail=HOSTILE, advice=HOSTILE, **place),
        JobErrored(index=0, attempts=1, job_name="halve", params={"n": HOSTILE}, error=error, **place),
    )
    aggregate()
    # then a report has no element and no attribute of theirs
    page = Elements(orchestration.report())
    assert not {"script", "img", "b"} & set(page.names)
    assert not [name for name in page.attributes if name.startswith("on") or name in {"src", "href"}]
    assert page.open == []
    assert "<script>alert(1)</script>" in page.text
    assert not {"\u202e", "\x00"} & set(page.text)


def test_a_report_is_written_though_params_have_expired(
    done: str, service: OrchestrationService, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = stores.event_log.read_started(done)
    clients.s3().delete_object(Bucket=stores.payloads.bucket, Key=started.params_key)
    assert "2 errored; their params have expired." in service.orchestration(done).report()


def test_a_report_of_nothing_and_of_what_has_not_begun_says_so(service: OrchestrationService) -> None:
    assert "No container has begun its share." in service.kick_off_job("halve", []).report()
    waiting = service.kick_off_job("halve", [{"n": 2}]).report()
    assert "while it still ran" in waiting
    assert "1 instance: waiting for launch" in waiting
