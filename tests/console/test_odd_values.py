"""What is unusual, and must neither be changed nor stop the page: params, answers, addresses and files."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from background_jobs import OrchestrationService
from tests.offline import until

LONG = 9_007_199_254_740_993  # 2^53 + 1: the first whole number that a browser rounds
ODD: dict[str, Any] = {
    "n": LONG,
    "__proto__": {"n": -(2**70)},
    "constructor": [LONG, 0.1, 1e22],
    "id": "9" * 20,
}
API = re.compile(r"^http://[^/]+/(orchestrations|jobs|schedules|occurrences|caller)\b")


def params_of(service: OrchestrationService, page: Page) -> dict[str, Any]:
    page.wait_for_url("**/#/orchestrations/*")
    orchestration = service.orchestration(page.url.rpartition("/")[2])
    until(lambda: orchestration.summary().done)
    return orchestration.instance(0).params


def test_params_are_shown_and_run_again_as_they_were_whatever_their_numbers_and_names(
    service: OrchestrationService, page: Page, url: str
) -> None:
    """A browser rounds whole numbers beyond 2^53: another customer was billed."""
    odd = service.kick_off_job("no_op", [ODD])
    until(lambda: odd.summary().done)

    page.goto(f"{url}#/orchestrations/{odd.id}/instances/0")
    expect(page.get_by_role("region", name="Params")).to_contain_text(str(LONG))
    page.get_by_role("link", name="Run again with these params").click()
    page.get_by_role("button", name="Kick off").click()

    page.wait_for_url(lambda address: odd.id not in address)
    assert params_of(service, page) == ODD


def test_a_rerun_changes_only_what_was_changed(service: OrchestrationService, page: Page, url: str) -> None:
    odd = service.kick_off_job("no_op", [ODD])
    until(lambda: odd.summary().done)

    page.goto(f"{url}#/orchestrations/{odd.id}")
    page.get_by_role("button", name="Rerun all").click()
    page.get_by_text("With other params").click()
    text = page.get_by_label("Params of instance 0", exact=True).and_(page.locator("textarea"))
    expect(text).to_have_value(re.compile(str(LONG)))
    text.fill(text.input_value().replace('"id"', '"new"'))
    page.get_by_role("button", name="Run again").click()

    page.wait_for_url(lambda address: odd.id not in address)
    changed = {**ODD, "new": ODD["id"]}
    del changed["id"]
    assert params_of(service, page) == changed


def test_a_form_sends_numbers_and_names_as_they_were_typed(
    service: OrchestrationService, page: Page, url: str
) -> None:
    schema = {"type": "object", "properties": {"__proto__": {"type": "integer"}, "n": {"type": "integer"}}}

    def describe(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps({**answer.json(), "params_schema": schema}))

    page.route("**/jobs/no_op", describe)
    page.goto(f"{url}#/jobs/no_op")
    page.get_by_label("__proto__").fill("7")
    page.get_by_label("n (optional)").fill(str(LONG))
    page.get_by_role("button", name="Kick off").click()

    assert params_of(service, page) == {"__proto__": 7, "n": LONG}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "content_type": "text/html", "body": "<h1>Sign in</h1>"},
        {"status": 200, "content_type": "application/json", "body": '{"items": [{"name": "no'},
        {"status": 200, "content_type": "application/json", "body": "null"},
    ],
    ids=["a login page", "cut short", "null"],
)
def test_an_answer_that_is_not_the_apis_is_told_as_that(page: Page, url: str, answer: dict[str, Any]) -> None:
    """People read of an undefined that is not iterable."""
    page.route(API, lambda route: route.fulfill(**answer))
    for place in ("jobs", "jobs/no_op", "schedules"):
        page.goto(f"{url}#/{place}")
        expect(page.get_by_role("alert")).to_contain_text("What answered is not the API")
    page.goto(f"{url}#/")
    expect(page.locator(".connection")).to_have_text("Lost, coming back")
    page.unroute(API)
    expect(page.locator(".connection")).to_have_text("Live")


def test_who_asks_too_often_is_not_left_behind(service: OrchestrationService, page: Page, url: str) -> None:
    """The list said that it had ended, and an orchestration in progress was left as it was."""
    limited = {"status": 429, "content_type": "application/json", "body": '{"message": "Too Many Requests"}'}
    done = service.kick_off_job("no_op", [{}])
    until(lambda: done.summary().done)
    for place, state in (("", "Live"), (f"orchestrations/{done.id}", "Ended")):
        page.route(API, lambda route: route.fulfill(**limited))
        page.goto(f"{url}#/{place}")
        page.reload()
        expect(page.locator(".connection")).to_have_text("Lost, coming back")
        expect(page.get_by_text("No instance has errored.")).to_have_count(0)
        page.unroute(API)
        expect(page.locator(".connection")).to_have_text(state)


def test_filters_that_there_are_not_are_left_out_or_told(open_page: Callable[..., Page], url: str) -> None:
    """The name of what every object has in JavaScript stopped the page for good."""
    page = open_page(f"{url}#/?range=__proto__")
    expect(page.locator(".connection")).to_have_text("Live")
    page = open_page(f"{url}#/?status=constructor")
    expect(page.get_by_role("alert")).to_contain_text('status="constructor" must be')


def file(content: bytes) -> FilePayload:
    return {"name": "old.jsonl", "mimeType": "text/plain", "buffer": content}


def test_a_file_in_another_encoding_is_not_taken_with_its_texts_changed(page: Page, url: str) -> None:
    page.goto(f"{url}#/jobs/no_op")
    page.get_by_label("Many, as JSON or a file").check()
    content = '{"customer": "Müller"}'
    page.get_by_label("Or a file of them").set_input_files(file(content.encode("latin-1")))
    page.get_by_role("button", name="Kick off").click()
    expect(page.get_by_text("old.jsonl is not UTF-8")).to_be_visible()
    expect(page.get_by_text("There are no params yet.")).to_have_count(0)
    expect(page.get_by_label("One object a line")).to_have_value("")
    page.get_by_label("Or a file of them").set_input_files(file(content.encode()))
    expect(page.get_by_label("One object a line")).to_have_value(content)


def test_an_address_whose_params_are_no_objects_says_so(page: Page, url: str) -> None:
    for text in ("5", "null", "[1]", "{bad"):
        page.goto(f"{url}#/jobs/no_op?params={text}")
        expect(page.get_by_role("alert").filter(has_text="are no JSON object")).to_be_visible()
