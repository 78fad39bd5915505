"""The site of the documents: it builds without a warning, has everything that there is, and loads nothing."""

import inspect
import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import typer.main

from background_jobs import aio, public, settings, testing
from background_jobs.cli.main import app
from background_jobs.core import limits
from background_jobs.core.errors import BackgroundJobsError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder],
        cwd=REPOSITORY,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def read(site: Path, page: str) -> str:
    return unescape((site / page).read_text())


def test_every_public_name_of_the_sdk_and_of_the_stack_is_there(site: Path) -> None:
    from background_jobs.cdk import public as stack

    sdk, errors, of_stack = (read(site, f"reference/{page}.html") for page in ("sdk", "errors", "stack"))
    names = {name: getattr(public, name) for name in public.__all__}
    missing = [
        name
        for name, value in names.items()
        if f'id="{name}"' not in errors and f'id="{value.__module__}.{value.__qualname__}"' not in sdk
    ]
    assert missing == []
    assert [name for name in aio.__all__ if f'id="background_jobs.aio.{name}"' not in sdk] == []
    assert [
        name
        for name in testing.__all__
        if f'id="background_jobs.testing.twin.{name}"' not in sdk and f'id="{name}"' not in errors
    ] == []
    assert [
        name for name in stack.__all__ if not re.search(rf'id="[\w.]*{name}"', of_stack, re.IGNORECASE)
    ] == []


def test_every_error_setting_option_and_limit_is_there(site: Path) -> None:
    from background_jobs.cdk import public as stack

    errors, variables, options, bounds = (
        read(site, f"reference/{page}.html") for page in ("errors", "settings", "stack", "limits")
    )
    kinds = BackgroundJobsError.__subclasses__()
    assert [kind.__name__ for kind in kinds if f'id="{kind.__name__}"' not in errors] == []
    readers = [
        one
        for one in vars(settings).values()
        if inspect.isclass(one) and issubclass(one, settings.FromVariables)
    ]

    assert [name for one in readers for name in one.variable_names() if name not in variables] == []
    configs = [getattr(stack, name) for name in stack.__all__]
    fields = [field for one in configs for field in getattr(one, "model_fields", ())]
    assert [
        field for field in fields if f"<code>{field}</code>" not in options and field not in options
    ] == []
    assert [name for name in vars(limits) if name.isupper() and f"<code>{name}</code>" not in bounds] == []


def test_every_command_route_and_event_is_there(site: Path) -> None:
    commands, routes, events = (
        read(site, f"reference/{page}.html") for page in ("commands", "routes", "events")
    )
    assert [path for path in walk(typer.main.get_command(app)) if f">{path}<" not in commands] == []
    document = json.loads((REPOSITORY / "docs" / "openapi.json").read_text())
    answers = [
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    ]
    assert [answer for answer in answers if f"<code>{answer}</code>" not in routes] == []
    log = json.loads((REPOSITORY / "docs" / "schemas" / "events.json").read_text())
    names = [*log["$defs"], "JobCompletedEvent"]
    assert [name for name in names if f'id="schema-{name.lower()}"' not in events] == []


def walk(command: object, path: str = "background-jobs") -> list[str]:
    nested = [
        name
        for word, one in getattr(command, "commands", {}).items()
        if not one.hidden
        for name in walk(one, f"{path} {word}")
    ]
    return [path, *nested]


def test_every_page_can_be_reached_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    linked = read(site, "index.html") + read(site, "adr/index.html")
    assert [page.name for page in pages if f'{page.name}"' not in linked] == []
    loaded = {
        address
        for page in pages
        for address in re.findall(
            r'<(?:script|link|img|iframe)[^>]*?(?:src|href)="([^"]+)"', page.read_text()
        )
    }
    assert [address for address in loaded if "//" in address] == []
