"""The console without a mouse, without colours, in the dark, on a phone, and read aloud."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from background_jobs import Orchestration, OrchestrationService
from tests.offline import until

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
# Whether the focused element or the row around it has an outline.
OUTLINED = """
() => [document.activeElement, document.activeElement.closest(".row")].some((element) => {
  const { outlineStyle, outlineWidth } = element ? getComputedStyle(element) : {};
  return element && outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
})
"""
# The lightness of each pixel of each cell of the legend, by state.
SWATCHES = """
() => Array.from(document.querySelectorAll(".legend:has(.swatch) li"), (entry) => {
  const canvas = entry.querySelector("canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const lightness = [];
  for (let at = 0; at < pixels.length; at += 4) {
    lightness.push(0.2126 * pixels[at] + 0.7152 * pixels[at + 1] + 0.0722 * pixels[at + 2]);
  }
  return lightness;
})
"""


@pytest.fixture
def failed_orchestration(service: OrchestrationService) -> Orchestration:
    """An orchestration that ended, with a failure in it."""
    orchestration = service.kick_off_job(
        "fussy",
        [{}, {}, {"bad": "no customer " * 30}, {}],
        parallelism=1,
        tags={"customer": "a customer with quite a long name"},
    )
    until(lambda: orchestration.summary().done)
    return orchestration


def read_focused_name(page: Page) -> str:
    return str(
        page.evaluate(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
        )
    )


def press_tab_until(page: Page, label: str) -> None:
    """Press Tab until the element with this name has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if read_focused_name(page) == label:
            return
    raise AssertionError(f"Tab never came to {label!r}")


def test_everything_can_be_done_with_the_keyboard_alone(
    service: OrchestrationService, page: Page, failed_orchestration: Orchestration
) -> None:
    # from the list to an orchestration
    expect(page.locator(".row").first).to_contain_text(failed_orchestration.id[:8])
    page.keyboard.press("Tab")
    assert read_focused_name(page) == "Skip to content"
    page.keyboard.press("Enter")
    press_tab_until(page, "fussy")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="fussy")).to_be_focused()
    # through the grid, which announces the position of its cursor, to an instance and back
    press_tab_until(page, "Instances")
    for key in ("ArrowRight", "ArrowLeft", "End", "Home"):
        page.keyboard.press(key)
    expect(page.locator(".grid [aria-live]")).to_have_text("Instance 0: Completed")
    page.keyboard.press("e")
    expect(page.locator(".grid [aria-live]")).to_have_text("Instance 2: Errored")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Instance 2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert read_focused_name(page) == "Instances"
    # into a failure
    page.keyboard.press("Tab")
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Instance 3")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".cause summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Params of instance 2")).to_be_visible()
    # and to a rerun
    page.get_by_role("heading", name="fussy").focus()
    press_tab_until(page, "Rerun failed")
    page.keyboard.press("Enter")
    press_tab_until(page, "Run again")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: failed_orchestration.id not in address)
    expect(page.locator(".tile", has_text="Done")).to_contain_text("of 1")


def test_the_focused_element_has_a_visible_outline(page: Page, failed_orchestration: Orchestration) -> None:
    expect(page.locator(".row").first).to_be_visible()
    stops = []
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body"):
        stops.append(read_focused_name(page))
        assert page.evaluate(OUTLINED), stops
        page.keyboard.press("Tab")
    # the list has a few stops at least, and an end
    assert len(stops) > 8


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_states_differ_without_colours(
    open_page: Callable[..., Page], url: str, failed_orchestration: Orchestration, theme: Any
) -> None:
    page = open_page(f"{url}#/orchestrations/{failed_orchestration.id}", color_scheme=theme)
    expect(page.locator(".connection")).to_have_text("Ended")
    swatches = page.evaluate(SWATCHES)
    assert len(swatches) == 5
    for swatch, other in itertools.combinations(swatches, 2):
        differences = [abs(a - b) for a, b in zip(swatch, other, strict=True)]
        assert sum(differences) / len(differences) > 12


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("form", [{}, PHONE], ids=["desk", "phone"])
def test_axe_finds_no_serious_problem(
    open_page: Callable[..., Page],
    url: str,
    failed_orchestration: Orchestration,
    theme: Any,
    form: dict[str, Any],
) -> None:
    page = open_page(url, color_scheme=theme, **form)
    expect(page.locator(".row").first).to_be_visible()
    assert find_serious_problems(page) == []
    page.goto(f"{url}#/orchestrations/{failed_orchestration.id}")
    page.locator(".cause summary").click()
    expect(page.get_by_role("region", name="Traceback of instance 2")).to_be_visible()
    assert find_serious_problems(page) == []
    page.get_by_role("button", name="Rerun all").click()
    page.get_by_text("With other params").click()
    expect(page.get_by_role("region", name="Params of instance 1")).to_be_visible()
    assert find_serious_problems(page) == []
    page.keyboard.press("Escape")
    page.goto(f"{url}#/orchestrations/{failed_orchestration.id}/instances/2")
    expect(page.locator("dialog.panel .error-line")).to_be_visible()
    assert find_serious_problems(page) == []


def find_serious_problems(page: Page) -> list[str]:
    """Return the problems that axe-core calls serious or critical, each with its place."""
    violations = Axe().run(page).response["violations"]
    page.evaluate("violations.length = 0")  # axe-core itself tries what the policy stops
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes']]}"
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
    ]


def test_a_phone_needs_no_scrolling_sideways(
    open_page: Callable[..., Page], url: str, failed_orchestration: Orchestration
) -> None:
    page = open_page(url, **PHONE)
    overflow = "document.scrollingElement.scrollWidth - innerWidth"
    expect(page.locator(".row").first).to_be_visible()
    assert page.evaluate(overflow) <= 0
    page.goto(f"{url}#/orchestrations/{failed_orchestration.id}")
    page.locator(".cause summary").tap()
    expect(page.get_by_role("region", name="Traceback of instance 2")).to_be_visible()
    assert page.evaluate(overflow) <= 0
    # a cell can be tapped, and its panel fills the screen
    page.locator(".grid canvas").tap(position={"x": 5, "y": 5})
    panel = page.locator("dialog.panel")
    expect(panel.get_by_role("heading", name="Instance 0")).to_be_visible()
    assert panel.evaluate("(element) => [element.clientWidth, element.scrollWidth]") == [360, 360]


def test_the_theme_follows_the_system_until_somebody_chooses(
    open_page: Callable[..., Page], url: str
) -> None:
    ground = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    page = open_page(url, color_scheme="dark")
    assert page.evaluate(ground) < 50
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) > 200
    for theme in ("light", "dark"):
        page.get_by_role("button", name="Theme").click()
        expect(page.get_by_role("button", name=f"Theme: {theme}")).to_be_visible()
    assert page.evaluate(ground) < 50
    # the choice outlives the page
    page.reload()
    assert page.evaluate(ground) < 50


def test_nothing_moves_where_reduced_motion_is_asked_for(
    service: OrchestrationService, open_page: Callable[..., Page], url: str, gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}])
    page = open_page(f"{url}#/orchestrations/{orchestration.id}", reduced_motion="reduce")
    expect(page.locator(".connection")).to_have_text("Live")
    assert page.evaluate("document.getAnimations().length") == 0
    page.emulate_media(reduced_motion="no-preference")
    until(lambda: page.evaluate("document.getAnimations().length") > 0)
    orchestration.cancel()
