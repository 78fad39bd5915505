"""The buttons that change an orchestration."""

from pathlib import Path

from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService, OrchestrationStatus, Stage
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.local_stack import LocalStack
from tests.offline import until

PATIENCE = 60


def test_failures_run_again_with_the_stages_that_began_without_them(
    service: OrchestrationService, page: Page, url: str
) -> None:
    # given a pipeline that went on without a failure
    stage = Stage("no_op", {"heard": "$results"}, on_failure="continue")
    first = service.kick_off_job("fussy", [{}, {"bad": "fig"}], then=stage)
    first.pipeline().wait(PATIENCE)
    # when it runs again with other params, and the next stages with it
    page.goto(f"{url}#/orchestrations/{first.id}")
    page.get_by_role("button", name="Rerun failed").click()
    page.get_by_label("Run the next stages, too, for what is repaired: no_op").check()
    page.get_by_text("With other params").click()
    page.get_by_label("Params of instance 1", exact=True).and_(page.locator("textarea")).fill("{}")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: first.id not in address)
    # then the next stage follows it
    again = service.orchestration(page.url.rpartition("/")[2])
    assert [stage.skipped for stage in again.pipeline().wait(PATIENCE)] == [None, None]
    assert again.pipeline().status() is OrchestrationStatus.COMPLETED


def test_cancelling_asks_first_and_gives_the_reason_to_the_log(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 20, parallelism=2)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".connection")).to_have_text("Live")
    # when somebody does not confirm, nothing happens
    page.get_by_role("button", name="Cancel", exact=True).click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("20 instances without an outcome will be Errored")
    question.get_by_role("button", name="Keep it running").click()
    expect(question).to_be_hidden()
    assert orchestration.summary().cancelled_at is None
    # and when it is confirmed, it ends
    page.get_by_role("button", name="Cancel", exact=True).click()
    question.get_by_label("Reason").fill("wrong month")
    question.get_by_role("button", name="Cancel it").click()
    expect(page.locator(".note")).to_contain_text("Cancelled.")
    expect(page.locator(".connection")).to_have_text("Ended")
    expect(page.locator(".overview .badge")).to_have_text("Cancelled")
    expect(page.locator(".cause").first).to_contain_text("wrong month")


def test_failures_run_again_in_an_orchestration_that_the_page_goes_to(
    service: OrchestrationService, page: Page, url: str
) -> None:
    first = service.kick_off_job(
        "fussy", [{"bad": "no"}, {}, {"bad": "no"}], parallelism=1, tags={"customer": "acme"}
    )
    until(lambda: first.summary().done)
    page.goto(f"{url}#/orchestrations/{first.id}")
    page.get_by_role("button", name="Rerun failed").click()
    expect(page.get_by_role("dialog")).to_contain_text("2 instances (0, 2)")
    page.get_by_role("button", name="Run again").click()
    # then the page shows the new orchestration, with a link to its parent
    page.wait_for_url(lambda address: first.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("2 of 2")
    page.get_by_role("link", name=first.id[:8]).click()
    expect(page.locator(".overview-facts")).to_contain_text(first.id)


def test_all_instances_run_again_where_none_failed(
    service: OrchestrationService, page: Page, url: str
) -> None:
    first = service.kick_off_job("no_op", [{}] * 4, parallelism=1)
    until(lambda: first.summary().done)
    page.goto(f"{url}#/orchestrations/{first.id}")
    expect(page.get_by_role("button", name="Rerun all")).to_be_visible()
    expect(page.get_by_role("button", name="Rerun failed")).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Rerun all").click()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: first.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("4 of 4")


def test_a_refusal_is_shown_where_the_button_was_pressed(
    service: OrchestrationService, stack: LocalStack, page: Page, url: str
) -> None:
    first = service.kick_off_job("no_op", [{}])
    until(lambda: first.summary().done)
    page.goto(f"{url}#/orchestrations/{first.id}")
    page.get_by_role("button", name="Rerun all").click()
    # the params have expired
    started = Stores.of(stack.settings).event_log.read_started(first.id)
    clients.s3().delete_object(Bucket=stack.settings.payload_bucket, Key=started.params_key)
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("is not in the bucket")
    expect(page.get_by_role("button", name="Run again")).to_be_enabled()
