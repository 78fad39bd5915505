"""The example of a page of one's own, in a browser."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.local_stack.test_examples import REPOSITORY, command_of
from tests.offline import until


@pytest.fixture
def report_page() -> Iterator[str]:
    """The address of the application, while its command runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command_of("report_page"), "--port", str(port)], cwd=REPOSITORY, start_new_session=True
    )
    try:
        until(lambda: answers(port))
        yield f"http://127.0.0.1:{port}/"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_page_of_ones_own_follows_a_report_and_shows_it(
    report_page: str, open_page: Callable[..., Page]
) -> None:
    page = open_page(report_page)
    page.get_by_role("button", name="Write the report").click()
    # while it is written, the page says how far it is
    expect(page.get_by_role("status")).to_have_text(re.compile(r"\d+ of 12 sections"))
    # and then it has all of it
    expect(page.get_by_role("status")).to_have_text("Done: a revenue of 78000")
    expect(page.get_by_role("listitem")).to_have_count(12)
    expect(page.get_by_role("listitem").first).to_have_text("north, month 1")
