"""An offline stack of its own, and Debian's Chromium, for the tests of the console."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from background_jobs.local_stack import LocalStack
from tests.console.chromium import NoBrowser, browser
from tests.offline import become_caller, service

__all__ = ["service"]

PATIENCE_MILLISECONDS = 60_000
expect.set_options(timeout=PATIENCE_MILLISECONDS)

# Violations of the policy are events that are lost unless a listener is there from the beginning.
_LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Chromium; it ends with this folder's tests, for while it runs this thread has an event loop."""
    try:
        with browser() as started:
            yield started
    except NoBrowser as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"The console was not tested in a browser: {missing}")


@pytest.fixture(scope="package")
def stack(chromium: Browser) -> Iterator[LocalStack]:
    with LocalStack(jobs=str(Path(__file__).with_name("jobs.py")), containers=2) as stack:
        yield stack


@pytest.fixture(autouse=True)
def caller(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    become_caller(stack, monkeypatch)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """A file that gated jobs wait for; whatever a test made of it, it is there in the end."""
    path = tmp_path / "open"
    yield path
    path.touch()


@pytest.fixture
def url(stack: LocalStack) -> str:
    return f"{stack.settings.api_url}/"


@pytest.fixture(scope="package")
def kept(chromium: Browser) -> BrowserContext:
    """What keeps the console's files from page to page, as a user's browser does."""
    return _new_context(chromium)


def _new_context(chromium: Browser, **options: Any) -> BrowserContext:
    # What moves is painted sixty times a second, all the time that a test waits.
    context = chromium.new_context(**{"reduced_motion": "reduce", **options})
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    context.add_init_script(_LISTEN)
    return context


@pytest.fixture
def open_page(chromium: Browser, kept: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Open pages, of which at the end none may have raised an error or met the Content-Security-Policy.

    A page with options has a context of its own. Nothing that a page has stored is there in the next test.
    """
    opened: list[Page] = []
    errors: list[str] = []

    def open_page(address: str, **options: Any) -> Page:
        page = (_new_context(chromium, **options) if options else kept).new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append(page)
        page.goto(address)
        return page

    yield open_page
    violations = [violation for page in opened for violation in page.evaluate("window.violations")]
    for page in opened:
        if page.context == kept:
            page.evaluate("localStorage.clear()")
            page.close()
        else:
            page.context.close()
    kept.clear_cookies()
    assert (errors, violations) == ([], [])


@pytest.fixture
def page(open_page: Callable[..., Page], url: str) -> Page:
    return open_page(url)
