"""The page's sections beside the orchestration itself: its pipeline, why instances wait, and its parent."""

from pathlib import Path

from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService, Stage

PATIENCE = 60_000


def test_a_pipeline_is_shown_with_what_is_to_come_and_leads_from_stage_to_stage(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    # given a first stage that runs, with more instances than its one container can work on
    then = Stage("gated", params=[{"until": str(gate)}])
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 3, parallelism=1, then=then)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    stages = page.locator(".stage")
    expect(stages).to_have_count(2)
    expect(stages.nth(1)).to_contain_text("to come")
    expect(page.locator(".waits")).to_contain_text("queued behind parallelism", timeout=PATIENCE)
    # when it is let go on, then its second stage starts, and the page links to it
    gate.touch()
    expect(stages.nth(1)).to_contain_text("1 of 1", timeout=PATIENCE)
    expect(page.locator(".waits")).to_be_hidden()
    stages.nth(1).get_by_role("link").click()
    expect(page.locator(".overview-facts")).to_contain_text(f"follows {orchestration.id[:8]}")
    expect(stages.nth(1)).to_have_attribute("aria-current", "step")


def test_a_stage_that_is_skipped_says_why(service: OrchestrationService, page: Page, url: str) -> None:
    then = Stage("gated", params="results")
    orchestration = service.kick_off_job("fussy", [{"bad": "no"}], then=then)
    orchestration.pipeline().wait(60)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".stage").nth(1)).to_contain_text("skipped: 1 of 1 instances of stage 1 errored.")
