"""The pictures in docs/console.md: `make screenshots`."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page
from pydantic import BaseModel, Field

from background_jobs import Retry, job_name
from background_jobs.jobs import Jobs
from tests.console.chromium import browser
from tests.console.simulated_api import SimulatedApi, simulated_api
from tests.console.simulated_orchestration import SimulatedOrchestration

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
DESK: Final[dict[str, Any]] = {"viewport": {"width": 1200, "height": 820}, "device_scale_factor": 1.5}
TALL: Final[dict[str, Any]] = {"viewport": {"width": 1200, "height": 1200}, "device_scale_factor": 1.5}
FORM: Final = "#/jobs/render_invoices?" + urlencode(
    {"params": json.dumps({"customer": "acme", "month": "2026-11", "copies": 2}), "tags": "customer=acme"}
)
SIMULATION: Final = timedelta(seconds=40)
"""How long it may take until all orchestrations are simulated."""
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
}


class Invoice(BaseModel):
    """The params of a job that the form of the console is shown with."""

    customer: str = Field(description="As in the ledger.")
    month: Literal["2026-10", "2026-11"]
    copies: int = 1
    draft: bool = False


@job_name("render_invoices", retry=Retry(max_attempts=3), timeout=600, concurrency=4)
def render_invoices(params: Invoice) -> str:
    """Render the invoices of a customer, and keep them as one PDF."""
    return params.customer


def main() -> None:
    """Simulate some orchestrations, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    now = datetime.now(UTC) + SIMULATION
    with simulated_api() as api, browser() as chromium:
        running, failed = _simulate(api, now)
        # The API computes the time left by its own clock.
        time.sleep(max(0, (now - datetime.now(UTC)).total_seconds()))
        camera = Camera(chromium, api.url, now)
        camera.take("console-list", "#/", **DESK)
        camera.take("console-running", f"#/orchestrations/{running}", **TALL)
        camera.take("console-running-dark", f"#/orchestrations/{running}", color_scheme="dark", **TALL)
        camera.take("console-failures", f"#/orchestrations/{failed}", ".cause summary", **DESK)
        camera.take("console-instance", f"#/orchestrations/{failed}/instances/12", **DESK)
        camera.take("console-containers", f"#/orchestrations/{running}", shown="Up to 6", **DESK)
        camera.take("console-form", FORM, shown="1 instance in 1 container", **DESK)
        camera.take("console-schedules", "#/schedules", shown="nightly_report", **DESK)
        camera.take("console-phone", f"#/orchestrations/{running}", **PHONE)


def _simulate(api: SimulatedApi, now: datetime) -> tuple[str, str]:
    """Simulate many orchestrations, and return the ids of a running one and of one with failures."""

    def ago(**span: float) -> datetime:
        return now - timedelta(**span)

    api.service.publish_jobs(Jobs([render_invoices]).describe())
    api.service.schedule_job("nightly_report", "render_invoices", [{"customer": "acme"}], cron="0 3 * * *")
    api.service.schedule_job(
        "sync_customers", "render_invoices", [{"customer": "acme"}], every=timedelta(hours=6)
    )
    SimulatedOrchestration.kick_off(api, "nightly_report", 1, ago(hours=31), 48).run()
    SimulatedOrchestration.kick_off(api, "clean_up", 40, ago(hours=9), 30).run(failing=1)
    failed = SimulatedOrchestration.kick_off(
        api, "sync_customers", 640, ago(hours=2), 95, customer="globex", region="eu"
    ).run(failing=0.06)
    SimulatedOrchestration.kick_off(
        api, "render_invoices", 480, ago(minutes=52), 210, customer="initech"
    ).run()
    part = 0.64
    seconds = 240 / part**0.86  # so that the instances that have ended took four minutes
    running = SimulatedOrchestration.kick_off(
        api, "migrate_orders", 2_400, ago(seconds=243), seconds, customer="acme", month="2026-11"
    ).run(part, failing=0.012)
    SimulatedOrchestration.kick_off(api, "render_invoices", 300, ago(seconds=20), 80, customer="acme").run(
        0.2
    )
    SimulatedOrchestration.kick_off(api, "export_ledger", 24, ago(seconds=2), 80, customer="acme").run(0)
    return running.id, failed.id


class Camera:
    """A browser whose clock stands still, so that pictures do not depend on how long the simulation took."""

    def __init__(self, chromium: Browser, url: str, now: datetime) -> None:
        self._chromium = chromium
        self._url = url
        self._now = now

    def take(self, name: str, where: str, opened: str = "", shown: str = "", **options: Any) -> None:
        """Take a picture of the page at *where*, scrolled to what is *opened* there, or to a text *shown*."""
        context = self._chromium.new_context(reduced_motion="reduce", timezone_id="UTC", **options)
        page = context.new_page()
        page.clock.set_fixed_time(self._now)
        page.goto(self._url + where)
        if shown:
            page.get_by_text(shown).first.wait_for()
            page.get_by_text(shown).first.scroll_into_view_if_needed()
        else:
            _settle(page)
        if opened:
            page.locator(opened).first.click()
            page.locator(".listing pre").last.wait_for()
            page.locator(".card", has=page.locator(opened)).evaluate(
                "(element) => scrollTo(0, element.offsetTop - 90)"
            )
        page.screenshot(path=IMAGES / f"{name}.png")
        context.close()


def _settle(page: Page) -> None:
    page.wait_for_selector(".row, .connection:is([data-state=live], [data-state=ended])")
    if page.locator(".strip").count():
        page.wait_for_selector(".strip-count >> text=/\\d/")
    if page.locator(".grid").count():
        page.wait_for_selector(".cause")
        page.wait_for_selector(".chart canvas")


if __name__ == "__main__":
    main()
