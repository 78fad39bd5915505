"""Other people's text is shown as text, and the page works below a path and explains an API that denies access."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from tests.cutting import cutting
from tests.offline import until

EVIL = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>\"'`${window.pwned=1}"


def test_markup_in_params_results_errors_tags_reasons_and_messages_stays_text(
    service: OrchestrationService, open_page: Callable[..., Page], url: str, gate: Path
) -> None:
    requested: list[str] = []
    # given markup in every text that users control
    failed = service.kick_off_job("fussy", [{"bad": EVIL, EVIL: EVIL}], tags={"customer": EVIL, EVIL: EVIL})
    failed.wait(60)
    waiting = {"until": str(gate), "says": EVIL}
    running = service.kick_off_job("gated", [waiting], tags={"customer": EVIL})

    page = open_page(f"{url}#/?customer={quote(EVIL)}")
    page.on("request", lambda request: requested.append(request.url))
    expect(page.locator(".row").first).to_contain_text(EVIL)
    expect(page.get_by_label("Customer")).to_have_value(EVIL)

    page.goto(f"{url}#/orchestrations/{failed.id}")
    expect(page.locator(".cause-message")).to_have_text(EVIL)
    page.locator(".cause summary").click()
    expect(page.get_by_role("region", name="Traceback of instance 0")).to_contain_text("onerror")
    expect(page.get_by_role("region", name="Params of instance 0")).to_contain_text("onerror")
    page.get_by_role("link", name="All of instance 0").click()
    expect(page.locator("dialog.panel .error-line")).to_contain_text(EVIL)

    page.goto(f"{url}#/orchestrations/{running.id}/instances/0")
    expect(page.locator("dialog.panel progress + p")).to_have_text(f"40 % {EVIL[:80]}")
    running.cancel(EVIL)
    expect(page.locator(".connection")).to_have_text("Ended")

    # then none of it ran, and the policy had nothing to stop (`open_page` checks that at the end)
    assert page.evaluate("window.pwned") is None
    assert page.locator("main img, main script, dialog img, dialog script").count() == 0
    assert [address for address in requested if not address.startswith(url)] == []


def test_the_policy_would_stop_a_script_that_got_in_all_the_same(
    stack: LocalStack, open_page: Callable[..., Page], url: str
) -> None:
    """It is the second line of defence, which the first one keeps from ever being used."""
    page = open_page(url)
    with pytest.raises(Exception, match="requires 'TrustedHTML'"):
        page.evaluate("(evil) => { document.body.innerHTML = evil; }", EVIL)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.append("window.pwned = 1");
          document.body.append(script);
        }"""
    )
    until(lambda: page.evaluate("violations.length") == 2)
    assert page.evaluate("window.pwned") is None
    page.evaluate("violations.length = 0")


def test_the_page_works_below_a_path_as_on_api_gateway(
    service: OrchestrationService, stack: LocalStack, open_page: Callable[..., Page]
) -> None:
    orchestration = service.kick_off_job("no_op", [{}] * 5)
    with cutting(stack.settings.api_url, [], below="/v1") as address:
        page = open_page(f"{address}/")
        page.get_by_role("link", name="no_op").first.click()
        page.goto(f"{address}/#/orchestrations/{orchestration.id}/instances/4")
        expect(page.locator("dialog.panel .badge")).to_have_text("Completed")
        expect(page.locator(".connection")).to_have_text("Ended")


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 403, "json": {"message": "Missing Authentication Token"}},
        {"status": 401, "json": {"message": "Unauthorized"}},
        {"status": 403, "json": {"error": "AuthenticationRequired", "detail": "Sign the request."}},
    ],
    ids=["IAM", "Cognito", "a problem"],
)
def test_an_api_that_denies_access_is_distinguished_from_a_broken_one(
    open_page: Callable[..., Page], url: str, answer: dict[str, Any]
) -> None:
    page = open_page("about:blank")
    # API Gateway's own answers, before any request reaches us
    page.route("**/orchestrations**", lambda route: route.fulfill(**answer))
    page.goto(url)
    expect(page.get_by_role("alert")).to_contain_text("python -m background_jobs.progress_api 8080")
    page.goto(f"{url}#/orchestrations/0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11")
    expect(page.get_by_role("alert")).to_contain_text(f"It answered {answer['status']}")
