"""What jobs print and log, in the panel of an instance and on the page of its orchestration."""

from collections.abc import Callable
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService

EVIL = "<img src=x onerror='window.pwned=1'>\x1b[31m\u202e"


def test_the_log_of_an_instance_goes_on_while_it_writes(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    # given an instance that has printed markup and logged an error, and waits
    orchestration = service.kick_off_job("talker", [{"says": EVIL, "until": str(gate)}])
    # when somebody opens its panel
    page.goto(f"{url}#/orchestrations/{orchestration.id}/instances/0")
    lines = page.locator("dialog.panel .log-text")
    # then both are there, as text
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text("<img src=x")
    expect(page.locator("dialog.panel .log-line[data-level=ERROR]")).to_contain_text("failed with")
    # and what it prints later comes by itself, until it has ended
    gate.touch()
    expect(lines.last).to_have_text("the last words")
    expect(page.locator("dialog.panel .log-state")).to_have_text("All that was written.")
    assert page.evaluate("window.pwned") is None


def test_the_log_of_all_containers_leads_to_the_instances_that_wrote_it(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    gate.touch()
    params = [{"says": f"hello of {n}", "until": str(gate)} for n in range(4)]
    orchestration = service.kick_off_job("talker", params, parallelism=2)
    orchestration.wait(60)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    page.locator(".log-card summary").click()
    for n in range(4):
        expect(page.locator(".log-card .log-line", has_text=f"hello of {n}").first).to_be_visible()
    page.get_by_title("Instance 3").first.click()
    expect(page.get_by_role("heading", name="Instance 3")).to_be_visible()
    expect(page.locator("dialog.panel .log-text").first).to_have_text("hello of 3")


def test_a_log_is_readable_on_a_phone_in_the_dark_and_aloud(
    service: OrchestrationService, open_page: Callable[..., Page], url: str, gate: Path
) -> None:
    gate.touch()
    orchestration = service.kick_off_job("talker", [{"says": "x" * 3_000, "until": str(gate)}])
    orchestration.wait(60)
    for scheme in ("light", "dark"):
        page = open_page(
            f"{url}#/orchestrations/{orchestration.id}/instances/0",
            viewport={"width": 360, "height": 740},
            color_scheme=scheme,
        )
        expect(page.locator("dialog.panel .log-text").last).to_have_text("the last words")
        assert page.evaluate("document.querySelector('.log-lines').scrollWidth <= innerWidth")
        assert Axe().run(page).response["violations"] == []
