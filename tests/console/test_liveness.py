"""Whether the page is live: it tells of the loss of its API, and of its return."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from background_jobs import OrchestrationService
from tests.offline import until

LATER = "(since) => Date.now() - since > 2500"


@contextmanager
def serving(port: int) -> Iterator[Callable[[], None]]:
    """Serve the API from a process of its own, which the caller can kill."""
    server = subprocess.Popen([sys.executable, "-m", "background_jobs.progress_api", str(port)])

    def kill() -> None:
        os.kill(server.pid, signal.SIGKILL)
        server.wait()

    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/console/icon.svg").is_success
        except httpx.HTTPError:
            return False

    try:
        until(answers)
        yield kill
    finally:
        if server.poll() is None:
            kill()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def read_clocks(page: Page) -> list[str]:
    return (
        page.locator(".tile", has_text="Elapsed").all_inner_texts()
        + page.locator(".row-span").all_inner_texts()
    )


@pytest.mark.parametrize("where", ["#/orchestrations/{}", "#/?job_name=gated&status=InProgress"])
def test_a_killed_api_is_told_of_and_its_return_as_well_and_no_time_goes_on_meanwhile(
    service: OrchestrationService, open_page: Callable[..., Page], port: int, gate: Path, where: str
) -> None:
    orchestration = service.kick_off_job("gated", [{"until": str(gate)}] * 3, parallelism=1)
    until(lambda: orchestration.summary().running)
    with serving(port) as kill:
        page = open_page(f"http://127.0.0.1:{port}/{where.format(orchestration.id)}")
        badge = page.locator(".connection")
        expect(badge).to_have_text("Live")
        until(lambda: any(re.search(r"\d s", text) for text in read_clocks(page)))
        # when it is killed
        kill()
        expect(badge).to_have_text("Lost, coming back")
        # then no time is counted that nobody knows of
        before = read_clocks(page)
        page.wait_for_function(LATER, arg=page.evaluate("Date.now()"))
        assert before == read_clocks(page) != []
        expect(badge).to_have_text("Lost, coming back")
    # and its return on the same port is seen, after which time goes on
    with serving(port):
        expect(badge).to_have_text("Live")
        until(lambda: read_clocks(page) != before)
        gate.touch()
        until(lambda: orchestration.summary().done)
