"""`background-jobs list` and `show`: tables for people, lines and JSON for programs."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.close_unfinished import CloseRequest, close_unfinished
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import ContainerStarted, ShareDelayed
from background_jobs.core.views.instances import InstanceDetail
from background_jobs.core.views.orchestration import OrchestrationPage
from background_jobs.core.views.orchestration_detail import OrchestrationDetail
from tests.adapters.cli.commands import EVIL, HARMLESS, run, run_on_terminal


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
    assert [view.orchestration_id for view in page.items] == [other, done]

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
    assert [view.orchestration_id for page in pages for view in page.items] == ids[::-1]
    assert "There are more" in run("list", "--limit", "2").stderr
    assert "There are more" not in run("list", "--limit", "3").stderr


def test_an_orchestration_is_shown_at_a_glance(done: str) -> None:
    shown = run_on_terminal("show", done).stdout
    assert shown.splitlines()[0] == f"halve  {done}"
    assert "4 of 4 (100 %)" in shown
    assert "2 completed   2 errored" in shown
    for fact in ("status      Errored 2", "service     default", "tags        customer=acme"):
        assert fact in shown
    assert "containers  1 launched, ran " in shown
    assert "cost        about $0.0" in shown
    assert "an estimate for containers of 0.5 vCPU and 1 GB" in " ".join(shown.split())
    for event in ("OrchestrationStarted", "ContainerStarted", "ContainerEnded", "OrchestrationCompleted"):
        assert f"  {event}" in shown
    assert "2 completed, 2 errored" in shown
    account = OrchestrationDetail.model_validate_json(run("show", done, "--json").stdout)
    assert (account.orchestration.counts.errored, account.event_history.failed_attempts) == (2, 0)
    assert [stage.job_name for stage in account.stages] == ["halve"]
    assert {line.service for line in account.cost.lines} >= {"Fargate", "DynamoDB"}


def test_why_instances_wait_is_shown_with_what_aws_said(
    service: OrchestrationService,
    stores: Stores,
    launch: Callable[..., None],
    aggregate: Callable[[], list[Any]],
) -> None:
    # given five instances in three shares: one share is done, the launch of one was refused, one is not launched yet
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
    shown = " ".join(run_on_terminal("show", orchestration.id).stdout.split())
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
    timeline = run_on_terminal("show", orchestration.id).stdout
    assert timeline.count("ContainerStarted") == 19
    assert "11 more, --json has them all" in timeline
    assert "share 8: instances 8 to 8" in timeline
    assert "share 19:" not in timeline
    account = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
    assert len(account.event_history.timeline) == 31


def test_launches_are_numbered_as_in_the_log_and_processes_of_one_container_are_one(
    service: OrchestrationService, stores: Stores
) -> None:
    # given a container whose process ended twice, and another one that went on
    orchestration = service.kick_off_job("other", [{}])
    began = stores.event_log.read_started(orchestration.id).at
    for launch, log in enumerate(("one.log", "one.log", "one.log", "two.log")):
        at = began + timedelta(microseconds=launch + 1)
        stores.event_log.append(
            ContainerStarted(
                orchestration_id=orchestration.id, at=at, share=0, launch=launch, first=0, last=0, log=log
            )
        )
    shown = run_on_terminal("show", orchestration.id).stdout
    assert "containers  2 launched, 3 processes ended early, ran " in shown
    assert [f"launch {n}" in shown for n in range(1, 5)] == [True, True, True, False]


def test_that_no_container_began_its_share_is_said_without_a_promise_once_all_is_over(
    service: OrchestrationService, stores: Stores, aggregate: Callable[[], list[Any]]
) -> None:
    orchestration = service.kick_off_job("other", [{}])
    assert "containers  none has begun its share yet" in run_on_terminal("show", orchestration.id).stdout
    close_unfinished(CloseRequest(orchestration_id=orchestration.id), stores)
    aggregate()
    shown = run_on_terminal("show", orchestration.id).stdout
    assert "containers  none has begun its share\n" in re.sub(" +\n", "\n", shown)


def test_one_instance_is_shown_with_its_outcome_and_its_history(done: str) -> None:
    detail = InstanceDetail.model_validate_json(run("instance", done, "1", "--json").stdout)
    shown = " ".join(run_on_terminal("instance", done, "1").stdout.split())
    assert f"instance 1 job id {detail.instance.job_id} status {detail.instance.status.value} params" in shown
    assert detail.events
    for event in detail.events:
        assert f"{event.type} attempt {event.attempt}" in shown
    assert run("instance", done, "4").exit_code == 2


def container_on(orchestration_id: str, capacity_provider: str, **size: int) -> ContainerStarted:
    return ContainerStarted(
        orchestration_id=orchestration_id,
        at=datetime.now(UTC),
        share=0,
        launch=0,
        first=0,
        last=0,
        capacity_provider=capacity_provider,
        task_definition="background-jobs-prod-other:7",
        **size,
    )


def test_the_revision_that_an_orchestration_runs_is_shown(
    service: OrchestrationService, stores: Stores
) -> None:
    orchestration = service.kick_off_job("other", [{}])
    assert "revision" not in run_on_terminal("show", orchestration.id).stdout
    stores.event_log.append(container_on(orchestration.id, ""))
    assert "revision    background-jobs-prod-other:7" in run_on_terminal("show", orchestration.id).stdout
    account = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
    assert account.event_history.task_definitions == ["background-jobs-prod-other:7"]


def test_hosts_of_ones_own_are_not_given_the_price_of_fargate(
    service: OrchestrationService, stores: Stores
) -> None:
    # given a container of a size that Fargate does not have
    orchestration = service.kick_off_job("other", [{}])
    stores.event_log.append(container_on(orchestration.id, "gpu-asg", cpu=6_000, memory_mib=40_000))
    # then what is known is added up, and the rest is said in words
    shown = " ".join(run_on_terminal("show", orchestration.id).stdout.split())
    assert "hours of containers on gpu-asg, whose price is not known here" in shown
    account = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
    assert account.cost.unpriced.endswith("hours of containers on gpu-asg")
    assert not {line.service for line in account.cost.lines} & {"Fargate", "Public IPv4"}
    assert account.cost.dollars > 0


def test_a_run_on_spot_has_the_price_of_spot(service: OrchestrationService, stores: Stores) -> None:
    prices = {}
    for provider in ("", "FARGATE_SPOT"):
        orchestration = service.kick_off_job("other", [{}])
        stores.event_log.append(container_on(orchestration.id, provider))
        shown = OrchestrationDetail.model_validate_json(run("show", orchestration.id, "--json").stdout)
        (prices[provider],) = (line.dollars for line in shown.cost.lines if line.service == "Fargate")
    assert prices["FARGATE_SPOT"] == pytest.approx(0.3 * prices[""])
