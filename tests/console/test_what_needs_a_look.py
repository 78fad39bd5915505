"""What people decide by: what stands still, what was cancelled or goes on, and how fast it went."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from background_jobs import Stage
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import (
    JobAttemptFailed,
    JobCompleted,
    JobError,
    JobErrored,
    JobStarted,
    OrchestrationCancelled,
    ShareDelayed,
)
from tests.console.simulated_api import SimulatedApi, simulated_api
from tests.offline import until

ERROR = JobError(type="OSError", message="the upstream is away")


@pytest.fixture(autouse=True)
def caller() -> None:
    """Stand in for the caller of the offline stack, whose variables are not those of AWS in memory."""


@pytest.fixture(scope="module")
def simulated() -> Iterator[SimulatedApi]:
    with simulated_api() as api:
        yield api


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def test_a_standstill_is_told_in_the_list_and_on_its_page_with_its_reason_and_no_remaining_time(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    # given an orchestration that was quick for a while, half an hour ago
    began = ago(minutes=30)
    still = simulated.kick_off("stuck", [{}] * 10, began, parallelism=10)
    simulated.append(
        *(
            JobCompleted(
                orchestration_id=still, index=index, attempts=1, at=began + timedelta(seconds=index + 1),
                started_at=began, result=1,
            )
            for index in range(4)
        ),
        JobStarted(orchestration_id=still, index=4, attempt=1, at=began + timedelta(seconds=5)),
        JobAttemptFailed(
            orchestration_id=still, index=5, attempt=1, at=began + timedelta(seconds=6), error=ERROR,
            retry_at=began + timedelta(hours=1),
        ),
    )  # fmt: skip
    simulated.append(
        ShareDelayed(
            orchestration_id=still, at=began + timedelta(seconds=3), share=7, number=0,
            reason=DelayReason.QUOTA, detail="the limit on vCPUs",
        )
    )  # fmt: skip
    why = (
        "1 instance runs and has reported nothing; 1 instance failed and waits for its next attempt; "
        "4 instances wait (a quota is reached)"
    )
    # then the list counts it, and leads to it
    page = open_page(simulated.url)
    expect(page.get_by_role("link", name="1 Wait for launch")).to_be_visible()
    page.get_by_role("link", name="1 Stand still").click()
    row = page.locator(".row")
    expect(row).to_have_count(1)
    expect(row.locator(".badge")).to_have_text("Stands still")
    expect(row).to_contain_text("Nothing has moved for")
    expect(row).to_contain_text(why)
    # and the page says since when, and what is retried for which error
    row.get_by_role("link", name="stuck").click()
    expect(page.locator(".overview .badge")).to_have_text("Stands still")
    expect(page.locator(".standing")).to_contain_text(why)
    expect(page.locator(".tile", has_text="Remaining")).to_have_text("Remaining\u2013")
    expect(page.locator(".readout")).not_to_contain_text("to go")
    cause = page.locator(".cause")
    expect(cause).to_contain_text("OSError")
    expect(cause).to_contain_text("retrying: another attempt follows")
    # when something moves, then it is over at once
    simulated.append(
        JobCompleted(
            orchestration_id=still, index=4, attempts=1, at=datetime.now(UTC), started_at=began, result=1
        )
    )
    expect(page.locator(".overview .badge")).to_have_text("In progress")
    expect(page.locator(".standing")).to_be_hidden()


def test_cancelled_is_a_status_of_its_own_by_which_the_list_can_be_narrowed(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    ids = [simulated.kick_off(name, [{}], ago(days=2)) for name in ("unwanted", "broken")]
    simulated.append(OrchestrationCancelled(orchestration_id=ids[0], at=ago(days=2), reason="wrong month"))
    for orchestration_id in ids:
        simulated.append(
            JobErrored(
                orchestration_id=orchestration_id, index=0, attempts=1, at=ago(days=2), job_name="job",
                params={}, error=JobError(type="Cancelled", message="wrong month"),
            )
        )  # fmt: skip
        simulated.complete(orchestration_id)
    page = open_page(simulated.url)
    for status, name in (("Cancelled", "unwanted"), ("Errored", "broken")):
        page.get_by_label("Status").select_option(status)
        expect(page.locator(".row")).to_have_count(1)
        expect(page.locator(".row .badge")).to_have_text(status)
        expect(page.locator(".row")).to_contain_text(name)
    # and a run without any outcome that began has neither a rate nor a chart
    page.goto(f"{simulated.url}#/orchestrations/{ids[0]}")
    expect(page.locator(".overview .badge")).to_have_text("Cancelled")
    expect(page.locator(".tile", has_text="Mean rate")).to_have_text("Mean rate\u2013")
    expect(page.locator(".readout")).not_to_contain_text("begins")


def test_a_pipeline_is_one_row_that_opens_and_is_not_completed_between_its_stages(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    first = simulated.kick_off("extract", [{}], ago(minutes=2), then=Stage("load", params=[{}]))
    simulated.append(
        JobCompleted(
            orchestration_id=first,
            index=0,
            attempts=1,
            at=ago(minutes=1),
            started_at=ago(minutes=2),
            result=1,
        )
    )
    simulated.complete(first)
    page = open_page(f"{simulated.url}#/?job_name=extract")
    row = page.locator(".row")
    expect(row).to_contain_text("stage 1 of 2")
    expect(row.locator(".badge")).to_have_text("In progress")
    # when the second stage runs, then both are one row, which opens to both
    simulated.start_next(first, "load", [{}], ago(seconds=30))
    page.goto(f"{simulated.url}#/?search=stage-test")
    page.get_by_label("Search").fill(first[:13])
    expect(row).to_have_count(1)
    expect(row).to_contain_text("stage 2 of 2")
    row.get_by_role("button", name="Stages").click()
    expect(row.locator(".row-stages .badge")).to_have_text(["Completed", "In progress"])
    row.get_by_role("link", name="1. extract").click()
    expect(page.get_by_role("heading", name="extract")).to_be_visible()


def test_a_pipeline_whose_last_stage_is_fine_says_in_which_stage_instances_errored(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    # given a pipeline that went on with the successes of its first stage
    goes_on = Stage("load", params=[{}], on_failure="continue")
    first = simulated.kick_off("halves", [{}, {}], ago(minutes=2), then=goes_on)
    took = {"attempts": 1, "at": ago(minutes=1), "started_at": ago(minutes=2)}
    simulated.append(
        JobCompleted(orchestration_id=first, index=0, result=1, **took),
        JobErrored(orchestration_id=first, index=1, job_name="halves", params={}, error=ERROR, **took),
    )
    simulated.complete(first)
    second = simulated.start_next(first, "load", [{}], ago(seconds=50))
    simulated.append(JobCompleted(orchestration_id=second, index=0, result=1, **took))
    simulated.complete(second)
    page = open_page(f"{simulated.url}#/")
    page.get_by_label("Search").fill(first[:13])
    expect(page.locator(".row")).to_contain_text("1 errored in stage 1")
    expect(page.locator(".row .badge").first).to_have_text("Errored")


def test_a_short_run_of_another_day_is_told_in_words_and_a_long_one_by_its_date(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    began = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    runs = {}
    for name, seconds in (("short", 0.01), ("long", 2.0)):
        runs[name] = simulated.kick_off(name, [{}] * 30, began)
        simulated.append(
            *(
                JobCompleted(
                    orchestration_id=runs[name], index=index, attempts=1,
                    at=began + timedelta(seconds=index * seconds), started_at=began, result=1,
                )
                for index in range(30)
            )
        )  # fmt: skip
        simulated.complete(runs[name])
    page = open_page(f"{simulated.url}#/orchestrations/{runs['short']}", timezone_id="Europe/Berlin")
    expect(page.locator(".readout")).to_have_text(
        "Every outcome came within 0.5 s of the first start, which is too short for a chart."
    )
    expect(page.locator(".chart")).to_be_hidden()
    page.goto(f"{simulated.url}#/orchestrations/{runs['long']}/instances/0")
    expect(page.locator(".readout")).to_contain_text("Nov 24, GMT+1")
    expect(page.locator(".event time")).to_have_text("10:00:00.000 · Nov 24, GMT+1")


def test_no_two_labels_of_an_axis_are_the_same(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    page = open_page(simulated.url)

    def labels(expression: str) -> Any:
        return page.evaluate(f"import('./console/format.js').then((format) => {expression})")

    assert labels("format.rateLabels([0, 0.5, 1, 1.5])") == ["0 /s", "0.5 /s", "1 /s", "1.5 /s"]
    assert labels("format.rateLabels([0, 0.002, 0.004])") == ["0 /h", "7.2 /h", "14.4 /h"]
    assert labels("format.rateLabels([0, 1010, 1020])") == ["0 /s", "1,010 /s", "1,020 /s"]
    assert len(set(labels("[0, 0.1, 0.2].map((at) => format.timeOfDay(at, 0.1))"))) == 3


def test_the_list_is_searched_at_once_says_where_it_is_and_is_found_again_from_an_orchestration(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    for number in range(30):
        simulated.show("searched", ago(days=3, minutes=number), tags={"customer": f"customer-{number}"})
    tags = {"customer": "initech", "region": "north"}
    sought = simulated.kick_off("searched", [{}], ago(days=4), tags=tags)
    page = open_page(
        f"{simulated.url}#/?job_name=searched", permissions=["clipboard-read", "clipboard-write"]
    )
    rows, search = page.locator(".row"), page.get_by_label("Search")
    expect(page.get_by_text("1 to 25 of 31")).to_be_visible()
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_text("26 to 31 of 31")).to_be_visible()
    # any word of an id, a name or a tag
    for words in (sought[9:18], "initech", "REGION=north initech", "searched customer: initech"):
        search.fill(words)
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(sought[:8])
    # an id is copied by a click
    page.get_by_role("button", name=f"Copy id {sought[:8]}").click()
    until(lambda: page.evaluate("navigator.clipboard.readText()") == sought)
    # the way back leads to what was found
    rows.get_by_role("link", name="searched").click()
    page.get_by_label("Where this is").get_by_role("link", name="Orchestrations").click()
    expect(search).to_have_value("searched customer: initech")
    expect(rows).to_have_count(1)


def test_the_area_below_the_rates_is_what_ended_however_long_ago(
    simulated: SimulatedApi, open_page: Callable[..., Page]
) -> None:
    page = open_page(simulated.url)
    areas = page.evaluate(
        """async () => {
          const { Throughput } = await import(new URL("console/throughput.js", document.baseURI).href);
          return [3, 24, 300, 4000].map((seconds) => {
            const answer = { version: 1, began_at: "2026-11-24T09:00:00Z", bucket_seconds: 0.5 };
            const throughput = new Throughput({ ...answer, completed: [1, 3, 1], errored: [0, 0, 0] });
            const began = Date.parse(answer.began_at) / 1000;
            const [at, rates] = throughput.columns(6, began + seconds, true);
            return rates.slice(1).reduce((area, rate, step) => area + rate * (at[step + 1] - at[step]), 0);
          });
        }"""
    )
    assert areas == pytest.approx([5, 5, 5, 5])
