"""Chromium as Debian packages it; it is installed where it is missing and may be installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

_SHELL = "chromium-headless-shell"
"""The one without a window, which takes some 40 % less of the processor for the same tests."""
_NAMES = (_SHELL, "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS = [
    "--no-sandbox",  # as root there is none to be had
    "--disable-gpu",
    "--renderer-process-limit=1",  # otherwise a second one is started with each page, in case it is needed
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class NoBrowser(Exception):
    """There is no Chromium here, and none can be installed."""


def chromium() -> Path:
    """Return where Chromium is, after installing Debian's where that may be done. Raises NoBrowser."""
    found = _find()
    if found and (found.name == _SHELL or not os.environ.get("CI")):
        return found
    try:
        return _install()
    except NoBrowser:
        if found:
            return found
        raise


def _install() -> Path:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoBrowser(f"no Chromium here, and only root on Debian can install it: apt-get install {_SHELL}")
    apt_get = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", _SHELL]):
        done = subprocess.run([*apt_get, *command], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise NoBrowser(f"Chromium could not be installed: {done.stderr.strip().splitlines()[-1:]}")
    return _find() or Path("/usr/bin", _SHELL)


def _find() -> Path | None:
    return next((Path(path) for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium without a window. Raises NoBrowser."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
