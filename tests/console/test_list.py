"""The list of orchestrations: what it shows, how it is narrowed, and that it lives."""

import re
import uuid
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService
from tests.offline import until


def test_rows_follow_their_orchestrations_without_being_loaded_again(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    page.goto(url)
    running = service.kick_off_job("gated", [{"until": str(gate)}] * 3, tags={"month": "2026-11"})
    # a new one comes up by itself, first
    row = page.locator(".row").first
    expect(row).to_contain_text(running.id[:8])
    expect(row).to_contain_text("month2026-11")
    expect(row.locator(".badge")).to_have_text("In progress")
    expect(row).to_contain_text("0 of 3")
    gate.touch()
    expect(row.locator(".badge")).to_have_text("Completed")
    expect(row).to_contain_text("3 instances")
    expect(row.locator(".bar")).to_have_attribute("aria-label", "3 completed")
    row.get_by_role("link", name="gated").click()
    expect(page.get_by_role("heading", name="gated")).to_be_focused()


def test_the_list_is_narrowed_by_job_status_customer_and_time_and_can_be_linked(
    service: OrchestrationService, page: Page, url: str
) -> None:
    customer = f"customer-{uuid.uuid4()}"
    good = service.kick_off_job("no_op", [{}], tags={"customer": customer})
    bad = service.kick_off_job("fussy", [{"bad": "no"}], tags={"customer": customer})
    until(lambda: good.summary().done and bad.summary().done)
    page.goto(url)
    rows = page.locator(".row")

    page.get_by_label("Customer").fill(customer)
    page.get_by_label("Customer").press("Enter")
    expect(rows).to_have_count(2)
    page.get_by_label("Status").select_option("Errored")
    expect(rows).to_contain_text([bad.id[:8]])
    # the address holds the filters
    page.reload()
    expect(rows).to_contain_text([bad.id[:8]])
    expect(page.get_by_label("Status")).to_have_value("Errored")
    page.get_by_label("Job name").fill("no_op")
    page.get_by_label("Job name").press("Enter")
    expect(page.get_by_role("heading", name="No orchestration fits")).to_be_visible()
    page.get_by_label("Status").select_option("")
    expect(rows).to_contain_text([good.id[:8]])
    page.get_by_label("Started").select_option("custom")
    page.get_by_label("To", exact=True).fill("2020-01-01T00:00")
    page.get_by_label("To", exact=True).press("Enter")
    expect(rows).to_have_count(0)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page.get_by_label("Customer")).to_have_value("")


def test_older_orchestrations_are_a_page_away(service: OrchestrationService, page: Page, url: str) -> None:
    customer = f"customer-{uuid.uuid4()}"
    started = [service.kick_off_job("no_op", [], tags={"customer": customer}) for _ in range(30)]
    newest_first = [orchestration.id[:8] for orchestration in reversed(started)]
    until(lambda: all(orchestration.summary().done for orchestration in started))
    page.goto(f"{url}#/?customer={customer}")
    shown = page.locator(".row code")
    expect(shown).to_have_text(newest_first[:25])
    page.get_by_role("link", name="Older").click()
    expect(shown).to_have_text(newest_first[25:])
    page.go_back()
    expect(shown).to_have_text(newest_first[:25])


def test_unknown_orchestrations_and_pages_are_reported(open_page: Callable[..., Page], url: str) -> None:
    page = open_page(f"{url}#/orchestrations/{uuid.uuid4()}")
    expect(page.get_by_role("alert")).to_contain_text("There is no orchestration")
    page.goto(f"{url}#/elsewhere")
    page.get_by_role("link", name="All orchestrations").click()
    expect(page).to_have_url(re.compile(r"#/$"))
    expect(page.get_by_role("heading", name="Orchestrations")).to_be_visible()
