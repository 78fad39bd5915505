"""Watching in a real browser: the page updates by itself, and its stream loses no event."""

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from tests.cutting import cutting
from tests.offline import until

# Reads a stream with the browser's own EventSource only, and returns all events.
READ = """
(path) => new Promise((resolve) => {
  const received = { opened: 0, events: [] };
  const source = new EventSource(path);
  source.onopen = () => { received.opened += 1; };
  for (const name of ["snapshot", "transitions", "progress", "completed"]) {
    source.addEventListener(name, (event) => {
      received.events.push([name, event.lastEventId, JSON.parse(event.data)]);
      if (name === "completed") { source.close(); resolve(received); }
    });
  }
})
"""
# How many pixels of the grid's canvas have which colour; those without any are left out.
COLOURS = """
() => {
  const canvas = document.querySelector(".grid canvas");
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const counts = {};
  for (const pixel of pixels) if (pixel) counts[pixel] = (counts[pixel] ?? 0) + 1;
  return counts;
}
"""


def legend(page: Page, state: str) -> Any:
    """The number of instances in a state, as the legend of the grid has it."""
    return page.locator(".legend li", has_text=state).locator(".legend-count")


def test_an_orchestration_is_watched_live_to_its_end(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    # given a running orchestration with one bad instance
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 30, parallelism=2)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(legend(page, "running")).to_have_text("2")
    expect(page.locator(".tile", has_text="Done")).to_contain_text("0 of 30")
    # when it is let go on
    gate.touch()
    # then the page shows it to the end, without being loaded again
    expect(page.locator(".overview .badge").first).to_have_text("Completed")
    expect(page.locator(".connection")).to_have_text("Ended")
    expect(page.locator(".tile", has_text="Done")).to_contain_text("100 %30 of 30")
    expect(legend(page, "Completed")).to_have_text("30")
    expect(page.locator(".readout")).not_to_have_text("The chart begins with the first outcomes.")
    assert len(streams) == 1


def test_the_browsers_event_source_loses_nothing_and_gets_nothing_twice_when_its_line_breaks(
    service: OrchestrationService, stack: LocalStack, open_page: Callable[..., Page]
) -> None:
    with cutting(stack.settings.api_url, [700, 2_500, 6_000]) as address:
        page = open_page(f"{address}/")
        orchestration = service.kick_off_job("no_op", [{}] * 400, parallelism=2)
        received = page.evaluate(READ, f"orchestrations/{orchestration.id}/events")

    (first, _, snapshot), *rest, (last, _, completed) = received["events"]
    assert (first, last) == ("snapshot", "completed")
    assert received["opened"] > 1
    ids = [event_id for _, event_id, _ in received["events"][:-1]]
    assert len(set(ids)) == len(ids)
    moves = [move for name, _, data in rest if name == "transitions" for move in data["transitions"]]
    ended = [move["index"] for move in moves if move["status"] != "InProgress"]
    already = [index for index, letter in enumerate(snapshot["statuses"]) if letter == "C"]
    assert sorted(ended + already) == list(range(400))
    assert completed["orchestration"]["counts"]["completed"] == 400


def test_a_lost_connection_is_shown_and_the_page_reconnects_by_itself(
    service: OrchestrationService, stack: LocalStack, open_page: Callable[..., Page], gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 10, parallelism=2)
    # cut after the snapshot, and then several times before the first byte
    with cutting(stack.settings.api_url, [900, 0, 0, 0]) as address:
        page = open_page(f"{address}/#/orchestrations/{orchestration.id}")
        expect(page.locator(".connection")).to_have_text("Lost, coming back")
        gate.touch()
        expect(page.locator(".connection")).to_have_text("Ended")
        expect(legend(page, "Completed")).to_have_text("10")


def test_a_connection_that_died_silently_is_noticed(
    service: OrchestrationService, stack: LocalStack, open_page: Callable[..., Page], gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 10, parallelism=2)
    died = threading.Event()
    # cut after the snapshot, which ends near 1,500 bytes, and before the end
    with cutting(stack.settings.api_url, [2_500], silently=died) as address:
        page = open_page("about:blank")
        page.clock.install()
        page.goto(f"{address}/#/orchestrations/{orchestration.id}")
        expect(page.locator(".tile", has_text="Done")).to_contain_text("0 of 10")
        gate.touch()
        until(lambda: orchestration.summary().done and died.is_set())
        # nothing has come for more than half a minute, while the API knows better
        page.clock.fast_forward(61_000)
        expect(page.locator(".connection")).to_have_text("Ended")
        expect(legend(page, "Completed")).to_have_text("10")


def test_ten_thousand_instances_are_a_cell_each(service: OrchestrationService, page: Page, url: str) -> None:
    orchestration = service.kick_off_job("no_op", [{}] * 10_000, parallelism=2)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(legend(page, "Completed")).to_have_text("10,000")
    # and the canvas has ten thousand equal squares of one colour
    (pixels,) = page.evaluate(COLOURS).values()
    side = math.isqrt(pixels // 10_000)
    assert side > 3
    assert pixels == 10_000 * side**2
    grid = page.locator(".grid")
    grid.focus()
    grid.press("End")
    expect(page.locator(".tip")).to_have_text("9,999 · Completed")


def test_an_instance_shows_its_params_its_attempts_and_what_came_of_it(
    service: OrchestrationService, page: Page, url: str
) -> None:
    orchestration = service.kick_off_job("fussy", [{"flaky": "away"}, {"bad": "no customer"}])
    orchestration.wait(60)
    page.goto(f"{url}#/orchestrations/{orchestration.id}/instances/0")
    panel = page.locator("dialog.panel")
    expect(panel.get_by_role("heading", name="Instance 0")).to_be_visible()
    expect(panel.locator(".badge")).to_have_text("Completed")
    expect(panel.get_by_role("region", name="Params")).to_contain_text('"flaky": "away"')
    expect(panel.get_by_role("region", name="Result")).to_contain_text('"attempt": 2')
    expect(panel.locator(".facts")).to_contain_text("Attempts2")
    expect(panel.locator(".facts")).to_contain_text(".log")
    expect(panel.locator(".events")).to_contain_text("OSError: away")
    panel.get_by_label("Next instance").click()
    expect(panel.get_by_role("region", name="Traceback")).to_contain_text("raise ValueError")
    panel.get_by_label("Close").click()
    expect(panel).to_be_hidden()
    expect(page).to_have_url(f"{url}#/orchestrations/{orchestration.id}")
    # and one Escape closes the panel, however many instances were opened
    page.locator(".grid canvas").click(position={"x": 5, "y": 5})
    panel.get_by_label("Next instance").click()
    expect(panel.get_by_role("heading", name="Instance 1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page).to_have_url(f"{url}#/orchestrations/{orchestration.id}")


def test_how_far_a_running_instance_is_can_be_seen(
    service: OrchestrationService, page: Page, url: str, gate: Path
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate), "says": "reading"}])
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(legend(page, "running")).to_have_text("1")
    until(lambda: orchestration.summary().tells_progress)
    page.locator(".grid canvas").hover(position={"x": 5, "y": 5})
    expect(page.locator(".tip")).to_have_text("0 · running, 40 %, reading")
    page.locator(".grid canvas").click(position={"x": 5, "y": 5})
    expect(page.locator("dialog.panel progress")).to_have_attribute("value", "40")
    gate.touch()
    expect(page.locator("dialog.panel .badge")).to_have_text("Completed")


def test_failures_are_grouped_by_cause_and_open_to_params_and_traceback(
    service: OrchestrationService, page: Page, url: str
) -> None:
    params = [{"bad": f"order {n} has no customer" if n % 2 else f"'{n}' is closed"} for n in range(9)]
    orchestration = service.kick_off_job("fussy", [*params, {}], parallelism=2)
    orchestration.wait(60)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    causes = page.locator(".cause")
    expect(causes.locator(".cause-count")).to_have_text(["5", "4"])
    causes.nth(1).locator("summary").click()
    expect(causes.nth(1).locator(".chip")).to_have_text(["1", "3", "5", "7"])
    causes.nth(1).get_by_role("button", name="5", exact=True).click()
    expect(causes.nth(1).get_by_role("region", name="Params of instance 5")).to_contain_text("order 5 has no")
    expect(causes.nth(1).get_by_role("region", name="Traceback of instance 5")).to_contain_text(
        "raise ValueError"
    )


@pytest.mark.parametrize("instances", [0, 1])
def test_an_orchestration_of_very_few_instances_is_shown(
    service: OrchestrationService, page: Page, url: str, instances: int
) -> None:
    orchestration = service.kick_off_job("no_op", [{}] * instances)
    page.goto(f"{url}#/orchestrations/{orchestration.id}")
    expect(page.locator(".connection")).to_have_text("Ended")
    expect(page.locator(".tile", has_text="Done")).to_contain_text(f"{instances} of {instances}")
