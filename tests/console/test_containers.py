"""The containers of a run, its cost, a rerun beside its original, and the report, in a real browser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from background_jobs import Orchestration, OrchestrationService
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import ContainerEnded, ContainerStarted, Event, ShareDelayed
from tests.console.simulated_api import SimulatedApi, simulated_api
from tests.offline import until

HOSTILE = "<img src=x onerror=alert(1)>"
CAUSES = "Failures by cause"


@pytest.fixture
def failed_orchestration(service: OrchestrationService) -> Orchestration:
    params: list[dict[str, Any]] = [{}, {"bad": "no customer 1"}, {"bad": HOSTILE}, {}]
    orchestration = service.kick_off_job("fussy", params, parallelism=2, tags={"customer": HOSTILE})
    until(lambda: orchestration.summary().done)
    return orchestration


def expect_no_violations(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_containers_and_cost_are_on_the_page_and_a_rerun_is_compared_with_its_original(
    page: Page, url: str, failed_orchestration: Orchestration
) -> None:
    rerun = failed_orchestration.rerun(only="failed")
    until(lambda: rerun.summary().done)
    page.goto(f"{url}#/orchestrations/{rerun.id}")
    expect(page.locator(".launches tbody tr").first).to_contain_text("ended")
    expect(page.locator(".cost")).to_contain_text("Would cost about $")
    page.get_by_text("By service").click()
    expect(page.locator(".cost tbody tr", has_text="Fargate")).to_contain_text("$0.0")
    # when it is opened by the keyboard
    page.get_by_text("Compare with the original").focus()
    page.keyboard.press("Enter")
    comparison = page.locator(".comparison")
    expect(comparison.get_by_role("row", name="The original")).to_contain_text("422")
    expect(comparison).to_contain_text("Still there: 2 causes")
    expect_no_violations(page)
    comparison.get_by_role("link", name="The original").click()
    expect(page.get_by_text("Compare with the original")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_report_is_read_without_a_server_and_without_scripts(
    open_page: Callable[..., Page], tmp_path: Path, failed_orchestration: Orchestration, theme: Any
) -> None:
    # given a report that was saved from the page, and has hostile text in it
    target = tmp_path / "report.html"
    target.write_text(failed_orchestration.report(), encoding="utf-8")
    # when it is opened from the disk
    page = open_page(target.as_uri(), color_scheme=theme)
    # then all is there
    expect(page.get_by_role("heading", name=CAUSES)).to_be_visible()
    expect(page.get_by_role("region", name="Params of instance 2")).to_contain_text(HOSTILE)
    expect(page.get_by_role("img", name="Instances by index")).to_be_visible()
    expect(page.get_by_role("img", name="Outcomes over time")).to_be_visible()
    expect(page.get_by_role("img", name="launches of containers")).to_be_visible()
    assert page.locator("img, script, a").count() == 0
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect_no_violations(page)


def test_a_report_fits_a_phone_and_a_sheet_of_paper(
    open_page: Callable[..., Page], tmp_path: Path, failed_orchestration: Orchestration
) -> None:
    target = tmp_path / "report.html"
    target.write_text(failed_orchestration.report(), encoding="utf-8")
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True}
    page = open_page(target.as_uri(), color_scheme="dark", **phone)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(media="print", color_scheme="dark")
    # on paper it is dark on light, whatever the screen
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(22, 27, 36)"


def test_the_report_is_saved_from_the_page(page: Page, url: str, failed_orchestration: Orchestration) -> None:
    page.goto(f"{url}#/orchestrations/{failed_orchestration.id}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Report").click()
    assert download.value.suggested_filename == f"report-{failed_orchestration.id}.html"
    assert CAUSES in download.value.path().read_text()


def simulate_launches(api: SimulatedApi) -> str:
    """Simulate an orchestration of 120 launches, of which one was lost."""
    now = datetime.now(UTC)
    orchestration_id = api.kick_off("job", [{}] * 119, now - timedelta(minutes=5))
    begun = now - timedelta(minutes=4)
    events: list[Event] = []
    for share in range(119):
        fields = {"orchestration_id": orchestration_id, "share": share}
        launch = {"first": share, "last": share, **fields}
        events.append(ContainerStarted(at=begun, launch=0, memory_mib=1024, **launch))
        if share == 7:
            lost = {"reason": DelayReason.MEMORY, "detail": HOSTILE, "number": 0}
            later = begun + timedelta(minutes=1)
            events.append(ShareDelayed(at=later, **lost, **fields))
            events.append(ContainerStarted(at=later, launch=1, memory_mib=2048, **launch))
        elif share % 2:
            events.append(ContainerEnded(at=begun + timedelta(minutes=1), launch=0, status=0, **fields))
    api.append(*events)
    return orchestration_id


def test_launches_are_turned_by_pages_and_picked_by_state_with_a_bounded_number_of_elements(
    open_page: Callable[..., Page],
) -> None:
    with simulated_api() as api:
        orchestration_id = simulate_launches(api)
        page = open_page(f"{api.url}#/orchestrations/{orchestration_id}")
        rows = page.locator(".launches tbody tr")
        section = page.locator(".containers")
        expect(rows).to_have_count(50)
        expect(section).to_contain_text("120 launches: 61 running, 58 ended, 1 lost")
        expect(section.get_by_role("img", name="Up to 119 at once")).to_be_visible()
        # and the picture of those at once has the axis of the bars below it
        picture, bar = (
            section.locator(".at-once svg").bounding_box(),
            page.locator("tbody .track").first.bounding_box(),
        )
        assert picture is not None
        assert bar is not None
        assert picture["x"] == bar["x"]
        section.get_by_role("button", name="Next").press("Enter")
        expect(section).to_contain_text("51 to 100 of 120")
        section.get_by_role("button", name="Next").press("Enter")
        expect(rows).to_have_count(20)
        expect(section.get_by_role("button", name="Next")).to_be_disabled()
        section.get_by_label("State of the launches").select_option("lost")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(f"the container ran out of memory ({HOSTILE})")
        expect(rows).to_contain_text("1,024 MiB")
        assert page.locator(".containers img").count() == 0
        expect_no_violations(page)
