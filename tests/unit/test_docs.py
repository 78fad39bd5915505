"""The examples in the documents: they must parse, and what they import must exist."""

import ast
import inspect
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from background_jobs import OrchestrationService, Retry, Update
from background_jobs.cli.lines import UpdateView
from background_jobs.cli.main import app
from background_jobs.core.events import ContainerStarted
from background_jobs.core.read_model import Summary
from background_jobs.core.views.causes import Cause
from background_jobs.core.views.orchestration import CancelAnswer, KickOffAnswer
from background_jobs.core.views.orchestration_detail import OrchestrationDetail
from background_jobs.core.views.outcomes import FailureView, SuccessView
from background_jobs.local_stack.package_data import TEMPLATE

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "examples").rglob("*.md")),
]
BLOCKS = [
    (document.name, block)
    for document in DOCUMENTS
    for block in re.findall(r"```python\n(.*?)```", document.read_text(), flags=re.DOTALL)
]

SESSIONS = [
    (document.name, command, output)
    for document in DOCUMENTS
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), flags=re.DOTALL)
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE)
]
COMMANDS = [
    (document.name, command.partition("  #")[0].strip())
    for document in DOCUMENTS
    for block in re.findall(r"```(?:sh)?\n(.*?)```", document.read_text(), flags=re.DOTALL)
    for command in re.findall(r"^background-jobs [a-z].*$", block, flags=re.MULTILINE)
]
"""The commands in blocks that show no output."""
MODELS: dict[str, type[BaseModel]] = {
    "show": OrchestrationDetail,
    "watch": UpdateView,
    "results": SuccessView,
    "failures": Cause,
    "failures --full": FailureView,
    "logs": ContainerStarted,
    "cancel": CancelAnswer,
    "rerun": KickOffAnswer,
}


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, prog_name="background-jobs", env={"COLUMNS": "80"})


@pytest.mark.parametrize(("document", "block"), BLOCKS)
def test_an_example_parses_and_imports_what_exists(document: str, block: str) -> None:
    for node in ast.walk(ast.parse(block, document)):
        # The jobs of a page are in a file that the page shows; tests/testing/test_documented.py runs both.
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "jobs":
            for alias in node.names:
                exec(f"from {node.module} import {alias.name}", {})


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        links = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        # What is made from the code is no file; the site is refused where such a link leads nowhere.
        files = [link for link in links if "reference/" not in link]
        assert [link for link in files if not (document.parent / link).exists()] == []


def test_data_that_is_shown_can_be_read() -> None:
    readers: dict[str, Callable[[str], object]] = {"json": json.loads, "yaml": yaml.safe_load}
    shown = [
        (kind, block)
        for document in DOCUMENTS
        for kind, block in re.findall(r"```(json|yaml)\n(.*?)```", document.read_text(), flags=re.DOTALL)
    ]
    assert [block for kind, block in shown if not readers[kind](block)] == []


@pytest.mark.parametrize(
    ("document", "command"), [*{(document, command): None for document, command, _ in SESSIONS}, *COMMANDS]
)
def test_a_command_and_its_options_exist(document: str, command: str) -> None:
    substituted = re.findall(r"\$\((.*?)\)", command)
    for part in [*substituted, *re.split(r"\|\|?|&&", re.sub(r'"\$\(.*?\)"', "ID", command))]:
        program, *words = shlex.split(part)
        if program == "background-jobs":
            name = 2 if words[0] == "local" else 1
            # Options are looked up before help is printed.
            answer = run(*words[:name], "--help", *words[name:])
            assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    ("command", "output"),
    [(command, output) for _, command, output in SESSIONS if command.endswith("--help")],
)
def test_the_help_of_a_command_is_as_the_documents_show_it(command: str, output: str) -> None:
    assert run(*shlex.split(command)[1:]).stdout == output


@pytest.mark.parametrize(
    ("command", "output"), [(command, output) for _, command, output in SESSIONS if "--json" in command]
)
def test_json_has_the_shape_that_is_shown(command: str, output: str) -> None:
    _, name, *words = shlex.split(command)
    model = MODELS[f"{name} --full" if "--full" in words else name]
    shown = model.model_validate_json(output)
    assert shown.model_dump(mode="json").keys() == json.loads(output).keys()


def test_a_plan_is_as_the_document_shows_it() -> None:
    command, shown = re.findall(
        r"```\n(.*?)```", (REPOSITORY / "docs" / "cost.md").read_text(), flags=re.DOTALL
    )[:2]
    beginning, _, end = shown.partition("   ...\n")
    with patch("background_jobs.cli.reporting.has_terminal", return_value=True):
        printed = run(*shlex.split(command)[1:]).stdout
    assert printed.startswith(beginning)
    assert printed.endswith(end)


def test_the_history_of_the_offline_stack_is_kept_as_long_as_is_written() -> None:
    (days,) = re.findall(
        r"the history is kept for (\d+) days", (REPOSITORY / "docs" / "schedules.md").read_text()
    )
    assert set(re.findall(r'"BACKGROUND_JOBS_RETENTION_DAYS": "(\d+)"', TEMPLATE.read_text())) == {days}


def test_the_fields_of_a_retry_and_their_defaults_are_those_of_the_code() -> None:
    section = (REPOSITORY / "docs" / "jobs.md").read_text().partition("| field of `Retry` |")[2]
    rows = re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", section.partition("\n\n")[0], re.MULTILINE)
    assert {name: ast.literal_eval(default) for name, default in rows} == Retry().model_dump()


def test_the_fields_of_updates_and_pages_that_are_shown_are_those_of_the_code() -> None:
    text = (REPOSITORY / "docs" / "watching.md").read_text()
    rows = {
        kind: re.findall(
            r"^\| (`.*?) \|", text.partition(f"| field of {kind} |")[2].partition("\n\n")[0], re.MULTILINE
        )
        for kind in ("an update", "a summary")
    }
    assert re.findall(r"`(\w+)`", " ".join(rows["an update"])) == [field.name for field in fields(Update)]
    named = re.findall(r"`(\w+)`", " ".join(rows["a summary"]))
    assert [name for name in named if name not in Summary.model_fields and not hasattr(Summary, name)] == []
    for name in inspect.signature(OrchestrationService.history).parameters:
        assert name == "self" or f"`{name}`" in text or f"{name}=" in text
