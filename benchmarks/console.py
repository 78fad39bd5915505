"""The console in Chromium, with 10,000 instances: `make bench-console`.

Transitions arrive in batches over the real stream. Times are the page's own: how long frames are apart, how
long the scripts ran for a batch (its event, and the frame that paints it), and when the grid was first seen.
"""

import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page

from background_jobs.core.events import JobCompleted, JobStarted
from tests.console.chromium import browser
from tests.console.simulated_api import SimulatedApi, simulated_api

TOTAL: Final = 10_000
BATCH: Final = 100
BATCHES_A_SECOND: Final = 10
SECONDS: Final = 15

# Listens to what the page does, without being part of it.
_PROBE: Final = """
window.probe = { frames: [], events: [], paints: [], seen: null };
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (name, listener) {
  listen.call(this, name, (event) => {
    const began = performance.now();
    listener(event);
    if (name === "transitions") probe.events.push(performance.now() - began);
  });
};
const request = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (paint) => request((at) => {
  const began = performance.now();
  paint(at);
  probe.paints.push(performance.now() - began);
});
let last = null;
const frame = (at) => {
  if (last !== null) probe.frames.push(at - last);
  last = at;
  const grid = document.querySelector(".grid canvas");
  if (probe.seen === null && grid?.height > 300) probe.seen = performance.now();
  request(frame);
};
request(frame);
"""

_REPAINT: Final = """
() => {
  const began = performance.now();
  dispatchEvent(new Event("themechange"));
  return performance.now() - began;
}
"""


def main() -> None:
    """Measure once, and print a line for each figure."""
    with simulated_api() as api, browser() as chromium:
        now = datetime.now(UTC)
        orchestration_id = api.kick_off("no_op", [{}] * TOTAL, now, parallelism=BATCH)
        page, session, wire = _open_page(chromium, f"{api.url}#/orchestrations/{orchestration_id}")
        print(f"Chromium {chromium.version}, {TOTAL:,} instances, window of 1280 x 900, no GPU")
        while page.evaluate("probe.seen") is None:
            page.wait_for_timeout(50)
        print(f"from the first request to the grid on the screen: {page.evaluate('probe.seen'):.0f} ms")
        page.wait_for_timeout(500)
        print(f"the whole page over the wire: {sum(wire.values()):,} bytes in {len(wire)} answers")
        _show("frames apart, at rest", page.evaluate("probe.frames"))
        page.evaluate("Object.assign(probe, { frames: [], events: [], paints: [] })")
        before = _busy(session)
        batches = _play(api, orchestration_id)
        page.wait_for_timeout(500)
        busy = {name: seconds - before[name] for name, seconds in _busy(session).items()}
        probe = page.evaluate("probe")
        print(f"\nwhile {batches * BATCH / SECONDS:,.0f} transitions a second arrive, for {SECONDS} s:")
        _show("frames apart", probe["frames"])
        _show("script for an event of transitions", probe["events"])
        _show("script for a frame that paints them", probe["paints"])
        shares = ", ".join(f"{name} {100 * seconds / SECONDS:.1f} %" for name, seconds in busy.items())
        print(f"the page's thread was busy: {shares}")
        repaint = page.evaluate(_REPAINT)
        print(f"painting everything anew (grid, legend, chart): {repaint:.1f} ms")


def _open_page(chromium: Browser, url: str) -> tuple[Page, CDPSession, dict[str, int]]:
    """Open the page, and note the bytes of each answer by its request."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(_PROBE)
    page = context.new_page()
    wire: dict[str, int] = {}
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def note_bytes(event: dict[str, Any]) -> None:
        wire[event["requestId"]] = wire.get(event["requestId"], 0) + int(event["encodedDataLength"])

    session.on("Network.dataReceived", note_bytes)
    session.on("Network.responseReceived", lambda event: note_bytes({**event, **event["response"]}))
    page.goto(url)
    return page, session, wire


def _busy(session: CDPSession) -> dict[str, float]:
    """Return the seconds of CPU of the page's thread, in all and by kind of work."""
    metrics = {
        metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]
    }
    names = {
        "all": "TaskDuration",
        "scripts": "ScriptDuration",
        "style": "RecalcStyleDuration",
        "layout": "LayoutDuration",
    }
    return {label: metrics[name] for label, name in names.items()}


def _play(api: SimulatedApi, orchestration_id: str) -> int:
    """Start and complete instances in even batches; return how many batches there were."""
    began, batches = time.monotonic(), 0
    for index in range(0, TOTAL, BATCH):
        for event in (JobStarted, JobCompleted):
            due = began + batches / BATCHES_A_SECOND
            if due > began + SECONDS:
                return batches
            time.sleep(max(0.0, due - time.monotonic()))
            fields = {"attempt": 1} if event is JobStarted else {"attempts": 1}
            at = datetime.now(UTC)
            api.fold(
                *(
                    event(orchestration_id=orchestration_id, at=at, index=instance, **fields)
                    for instance in range(index, index + BATCH)
                )
            )
            batches += 1
    return batches


def _show(what: str, milliseconds: Iterable[float]) -> None:
    values = sorted(milliseconds)
    p50, p99 = (values[math.ceil(part * len(values)) - 1] for part in (0.5, 0.99))
    print(f"{what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {values[-1]:.1f} ms, of {len(values)}")


if __name__ == "__main__":
    main()
