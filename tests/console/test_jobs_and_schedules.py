"""Kicking off jobs by a form, and schedules: what people see and do."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from background_jobs import OrchestrationService
from tests.offline import until

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def nightly(service: OrchestrationService) -> Iterator[str]:
    """A schedule whose definition has more than its form shows."""
    schedule = service.schedule_job(
        "nightly", "order", [{"customer": "acme"}], cron="0 3 * * *", timeout=600, overlap="allow"
    )
    yield schedule.name
    schedule.delete()


def go(page: Page, url: str, where: str) -> None:
    page.goto(f"{url}#/{where}")


def test_a_form_kicks_off_a_job_with_params_of_the_types_that_it_has(
    page: Page, service: OrchestrationService
) -> None:
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="order").click()
    page.get_by_label("customer").fill("007")
    page.get_by_label("copies").fill("3")
    page.get_by_label("rush").select_option("true")
    page.get_by_label("due").fill("2026-11-27")
    page.get_by_label("items").fill('["a", "b"]')
    expect(page.get_by_text("1 instance in 1 container")).to_be_visible()

    page.get_by_role("button", name="Kick off").click()

    page.wait_for_url("**/#/orchestrations/*")
    orchestration = service.orchestration(page.url.rpartition("/")[2])
    until(lambda: orchestration.summary().done)
    expected = {"customer": "007", "copies": 3, "rush": True, "due": "2026-11-27", "items": ["a", "b"]}
    assert orchestration.instance(0).params == expected


def test_params_that_do_not_fit_are_told_at_their_fields_and_nothing_starts(
    page: Page, url: str, service: OrchestrationService
) -> None:
    before = len(service.history(job_name="order").summaries)
    go(page, url, "jobs/order")
    page.get_by_label("copies").fill("many")
    expect(page.get_by_text('copies must be a whole number, not "many"')).to_be_visible()
    page.get_by_role("button", name="Kick off").click()
    expect(page.get_by_text("customer is required")).to_be_visible()
    expect(page.get_by_label("customer")).to_be_focused()
    assert len(service.history(job_name="order").summaries) == before


def test_many_params_are_pasted_as_lines_and_previewed(page: Page, url: str) -> None:
    go(page, url, "jobs/order")
    page.get_by_label("Many, as JSON or a file").check()
    lines = page.get_by_label("One object a line")
    lines.fill('{"customer": "a"}\n{"customer": 2}\n{"customer": "c"')
    expect(page.get_by_text("Line 3 is no JSON")).to_be_visible()
    lines.fill('{"customer": "a"}\n{"customer": 2}\n{"customer": "c"}')
    expect(page.get_by_text("Index 1: customer must be text, not 2")).to_be_visible()
    expect(page.get_by_text("3 instances in 2 containers, up to 2 in each")).to_be_visible()


def test_a_file_of_params_is_kicked_off(
    page: Page, url: str, service: OrchestrationService, tmp_path: Path
) -> None:
    file = tmp_path / "params.json"
    file.write_text(json.dumps([{"n": 1}, {"n": 2}]))
    go(page, url, "jobs/no_op")
    page.get_by_label("Many, as JSON or a file").check()
    page.get_by_label("Or a file of them").set_input_files(file)
    expect(page.get_by_text("2 instances in 2 containers")).to_be_visible()
    page.get_by_role("button", name="Kick off").click()
    page.wait_for_url("**/#/orchestrations/*")
    orchestration = service.orchestration(page.url.rpartition("/")[2])
    until(lambda: orchestration.summary().done)
    assert [orchestration.instance(index).params for index in (0, 1)] == [{"n": 1}, {"n": 2}]


def test_the_params_of_an_instance_are_filled_in_to_run_again(
    page: Page, url: str, service: OrchestrationService
) -> None:
    orchestration = service.kick_off_job("order", [{"customer": "acme", "copies": 2}])
    until(lambda: orchestration.summary().done)
    go(page, url, f"orchestrations/{orchestration.id}/instances/0")
    page.get_by_role("link", name="Run again with these params").click()
    expect(page.get_by_role("heading", name="order", exact=True)).to_be_visible()
    expect(page.get_by_label("customer")).to_have_value("acme")
    expect(page.get_by_label("copies")).to_have_value("2")


def test_an_address_fills_in_the_form(page: Page, url: str) -> None:
    go(page, url, "jobs/order?params=%7B%22customer%22%3A%22acme%22%7D&parallelism=2&tags=month%3D11")
    expect(page.get_by_label("customer")).to_have_value("acme")
    expect(page.get_by_label("Containers at once")).to_have_value("2")
    expect(page.get_by_label("Tags")).to_have_value("month=11")


def test_a_schedule_is_made_paused_resumed_run_and_deleted(page: Page, service: OrchestrationService) -> None:
    page.get_by_role("link", name="Schedules", exact=True).click()
    page.get_by_role("link", name="New schedule").click()
    page.get_by_label("Name").fill("by-form")
    page.get_by_label("Job", exact=True).select_option("order (default)")
    page.get_by_label("customer").fill("acme")
    page.get_by_role("textbox", name="Cron").fill("30 4 * * *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.get_by_text("30 4 * * ? *, Europe/Berlin")).to_be_visible()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Active", exact=True)).to_be_visible()

    page.get_by_role("button", name="Run now").click()
    page.wait_for_url("**/#/orchestrations/*")
    page.go_back()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Schedules")).to_be_visible()
    assert "by-form" not in [schedule.name for schedule in service.schedules()]


def test_a_change_keeps_what_the_form_does_not_show(
    page: Page, url: str, service: OrchestrationService, nightly: str
) -> None:
    go(page, url, f"schedules/{nightly}/change")
    expect(page.get_by_label("customer")).to_have_value("acme")
    page.get_by_label("Every so often").check()
    page.get_by_label("Every", exact=True).fill("6")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("every 6 hours")).to_be_visible()
    changed = service.schedule(nightly).definition
    assert (changed.timeout, changed.overlap, changed.timing.every) == (600, "allow", timedelta(hours=6))


def test_schedules_are_listed_with_what_comes_next_and_a_calendar(page: Page, url: str, nightly: str) -> None:
    go(page, url, "schedules")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=nightly)).first
    expect(row).to_contain_text("order · 0 3 * * ? *, UTC")
    expect(row).to_contain_text("Never ran")
    expect(page.locator(".calendar-day")).to_have_count(7)
    expect(page.locator(".calendar").get_by_role("link", name=nightly)).to_have_count(
        7 if is_before_3() else 6
    )


def is_before_3() -> bool:
    return datetime.now(UTC).hour < 3


def test_a_backfill_shows_its_occurrences_before_it_runs_them(
    page: Page, url: str, service: OrchestrationService, nightly: str
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0)
    go(page, url, f"schedules/{nightly}")
    page.get_by_role("button", name="Backfill").click()
    page.get_by_label("From").fill(f"{today - timedelta(days=3):%Y-%m-%dT%H:%M}")
    page.get_by_label("To (not included)").fill(f"{today:%Y-%m-%dT%H:%M}")
    expect(page.get_by_text("3 occurrences would run.")).to_be_visible()
    assert service.schedule(nightly).runs(10) == []
    page.get_by_role("button", name="Run these").click()
    expect(page.get_by_text("3 runs started.")).to_be_visible()
    expect(page.locator(".runs tbody tr")).to_have_count(3)


def test_who_may_only_look_has_no_buttons_and_is_told_why(
    page: Page, url: str, nightly: str, service: OrchestrationService
) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={"name": "somebody", "environment": "local", "readable": None, "writable": []})

    page.route("**/caller", answer)
    page.reload()
    for where, name in (
        ("jobs", "Kick off"),
        ("schedules", "New schedule"),
        (f"schedules/{nightly}", "Pause"),
    ):
        go(page, url, where)
        expect(page.get_by_text("You may look, and not")).to_be_visible()
        expect(page.get_by_text(name, exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forms_and_schedules_keep_nobody_out(
    open_page: Callable[..., Page], url: str, nightly: str, scheme: str
) -> None:
    """Axe finds nothing, and nothing is wider than a phone."""
    page = open_page(url, color_scheme=scheme, **PHONE)
    for where, ready in (
        ("jobs", "Process an order"),
        ("jobs/order", "1 instance in 1 container"),
        ("schedules", "The next seven days"),
        (f"schedules/{nightly}", "What became of its occurrences"),
        ("new-schedule", "When it is due"),
    ):
        go(page, url, where)
        expect(page.get_by_text(ready).first).to_be_visible()
        results = Axe().run(page)
        assert results.violations_count == 0, (where, results.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
