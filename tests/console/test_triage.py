"""From failures to a rerun: causes first, a page at a time, and what runs again is shown before."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from background_jobs import Orchestration, OrchestrationService
from tests.console.test_access import find_serious_problems
from tests.offline import until

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet"]


def word(number: int) -> str:
    """Return a text of words alone: numbers in a message do not tell causes apart."""
    return " ".join(WORDS[int(digit)] for digit in str(number))


def run_fussy(service: OrchestrationService, params: list[dict[str, str]]) -> Orchestration:
    orchestration = service.kick_off_job("fussy", params, parallelism=1)
    until(lambda: orchestration.summary().done)
    return orchestration


def open_causes(page: Page, url: str, orchestration: Orchestration) -> Locator:
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".connection")).to_have_text("Ended")
    expect(page.locator(".cause").first).to_be_visible()
    return page.locator(".cause")


def is_above(one: Locator, other: Locator) -> bool:
    boxes = one.bounding_box(), other.bounding_box()
    return boxes[0] is not None and boxes[1] is not None and boxes[0]["y"] < boxes[1]["y"]


def test_causes_come_first_and_however_many_there_are_the_page_stays_small(
    service: OrchestrationService, page: Page, url: str
) -> None:
    # given hundreds of causes, and one of them with more instances than a page has
    params = [{"bad": word(number)} for number in range(250)] + [{"bad": word(7)}] * 30
    causes = open_causes(page, url, run_fussy(service, params))
    # then they are above the grid, a few of them at a time
    assert is_above(page.locator("#causes"), page.locator(".grid"))
    expect(page.locator("#causes")).to_contain_text("280 failures, 250 causes")
    expect(causes).to_have_count(20)
    assert page.evaluate("document.querySelectorAll('*').length") < 700
    # and all of them, and all instances of one, can be reached
    causes.first.locator("summary").click()
    expect(causes.first.locator(".chip")).to_have_count(20)
    causes.first.get_by_role("button", name="Next instances").click()
    expect(causes.first.locator(".chip")).to_have_text([str(number) for number in range(269, 280)])
    causes.first.get_by_role("button", name="Previous instances").click()
    expect(causes.first.locator(".chip").first).to_have_text("7")
    page.get_by_role("button", name="Next causes").click()
    expect(page.locator("#causes")).to_contain_text("21–40 of 250")  # noqa: RUF001 -- as the page writes ranges
    expect(causes.first).to_contain_text("charlie alpha")
    assert page.evaluate("document.querySelectorAll('*').length") < 700
    assert find_serious_problems(page) == []


def test_a_cause_runs_again_with_other_params_after_they_were_shown(
    service: OrchestrationService, page: Page, url: str
) -> None:
    # given two causes, of which one has two instances
    first = run_fussy(service, [{"bad": "alpha"}, {}, {"bad": "bravo"}, {"bad": "alpha"}])
    open_causes(page, url, first)
    # when its rerun is asked for, then what would run is shown, and what a patch makes of it
    page.get_by_role("button", name="Rerun the 2 failures of ValueError").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("2 instances (0, 3)")
    expect(question.get_by_role("region", name="Params of instance 3")).to_contain_text('"bad": "alpha"')
    question.get_by_text("With other params").click()
    change = question.get_by_label("Change the params of each")
    change.fill('{"bad": nu')
    expect(question.get_by_role("alert").first).to_contain_text("No JSON yet")
    change.fill('{"bad": null, "flaky": null, "mended": true}')
    expect(question.get_by_role("region", name="Params of instance 3 before")).to_contain_text("alpha")
    expect(question.get_by_role("region", name="Params of instance 3 in the rerun")).to_have_text(
        '{\n  "mended": true\n}'
    )
    assert find_serious_problems(page) == []
    # and once it is confirmed it runs, and the first one says what it has repaired
    question.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: first.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("2 of 2")
    expect(page.locator(".overview-facts")).to_contain_text(f"runs again a part of {first.id[:8]}")
    expect(page.locator(".connection")).to_have_text("Ended")
    causes = open_causes(page, url, first)
    expect(causes.nth(0)).to_contain_text("2 of 2 completed in a rerun")
    expect(causes.nth(1)).not_to_contain_text("in a rerun")


def test_instances_that_are_selected_in_the_grid_run_again_and_a_single_one_with_edited_params(
    service: OrchestrationService, page: Page, url: str
) -> None:
    first = run_fussy(service, [{}, {"bad": "alpha"}, {}, {"bad": "bravo"}])
    open_causes(page, url, first)
    page.locator(".grid").focus()
    # when some are selected with the keyboard
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Rerun selected").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("2 instances (1, 3)")
    question.get_by_role("button", name="Leave it").click()
    # and when one alone is, then its params can be edited as a whole
    page.get_by_role("button", name="Clear").click()
    page.locator(".grid").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.get_by_role("button", name="Rerun selected").click()
    question.get_by_text("With other params").click()
    params = question.get_by_label("Params of instance 1", exact=True).and_(question.locator("textarea"))
    expect(params).to_have_value('{\n  "bad": "alpha"\n}')
    params.fill('{"note": null}')
    expect(question.get_by_role("region", name="Params of instance 1 in the rerun")).to_contain_text("note")
    question.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: first.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("1 of 1")
    again = service.orchestration(page.url.rpartition("/")[2])
    assert again.instance(0).params == {"note": None}


def test_changed_params_that_their_job_would_refuse_are_named_and_not_started(
    service: OrchestrationService, page: Page, url: str
) -> None:
    first = service.kick_off_job("order", [{"customer": "acme"}], parallelism=1)
    until(lambda: first.summary().done)
    page.goto(f"{url}#/orchestrations/{first.id}")
    expect(page.locator(".connection")).to_have_text("Ended")
    page.locator(".grid").focus()
    page.keyboard.press(" ")
    page.get_by_role("button", name="Rerun selected").click()
    question = page.get_by_role("dialog")
    question.get_by_text("With other params").click()
    params = question.get_by_label("Params of instance 0", exact=True).and_(question.locator("textarea"))
    expect(params).to_have_value('{\n  "customer": "acme"\n}')
    # when they do not fit the schema that the job has published, then it is said where
    params.fill('{"customer": "acme", "copies": "many"}')
    expect(question.get_by_role("alert").first).to_contain_text("Instance 0: copies")
    question.get_by_role("button", name="Run again").click()
    expect(question.get_by_role("alert").last).to_contain_text("Instance 0: copies")
    # and once they do, they run
    params.fill('{"customer": "acme", "copies": 2}')
    expect(question.get_by_role("region", name="Params of instance 0 in the rerun")).to_contain_text("2")
    expect(question.get_by_text("copies must be")).to_have_count(0)
    question.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: first.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("1 of 1")


def test_what_errs_while_somebody_watches_leaves_the_order_of_the_page_as_it_is(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    # given a page that was opened before anything failed
    orchestration = service.kick_off_job("gated", [{"until": str(gate), "bad": "no"}] * 2, parallelism=1)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".connection")).to_have_text("Live")
    # when an instance errs
    gate.touch()
    expect(page.locator(".connection")).to_have_text("Ended")
    expect(page.locator(".cause")).to_have_count(1)
    # then the grid stays above, and a button beside it leads to the cause
    assert is_above(page.locator(".grid"), page.locator(".cause"))
    page.get_by_role("button", name="Failures by cause").click()
    expect(page.locator("#causes h2")).to_be_focused()
