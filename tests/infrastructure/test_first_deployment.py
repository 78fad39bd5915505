"""docs/first-deployment.md, held to the code: its commands, and the names of the stack that it speaks of."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import takewhile
from typing import Any, Final

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel, Shape

from background_jobs.core.events.orchestrations import COMPLETED
from background_jobs.core.metrics import Metric
from background_jobs.jobs import find_definition
from background_jobs.settings import PREFIX, Settings
from cdk.config import EnvironmentConfig
from cdk.service_config import REPOSITORY
from tests.infrastructure.conftest import Synthesize, Template
from tests.unit.test_docs import run

DOCUMENT: Final = (REPOSITORY / "docs" / "first-deployment.md").read_text()
PYTHON: Final = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
SHELL: Final = re.findall(r"```sh\n(.*?)```", DOCUMENT, flags=re.DOTALL)

GLOBAL: Final = {"query", "output", "region"}
"""Options that every command of the AWS CLI has."""
MADE_BY_THE_CLI: Final = {
    ("configure", "export-credentials"): {"format"},
    ("logs", "tail"): {"since", "filter-pattern"},
    ("s3", "rb"): {"force"},
    ("s3", "rm"): {"recursive"},
}
"""Commands that are no operations of a service. Source: AWS CLI Command Reference."""
OF_BOTOCORE: Final = {"s3api": "s3"}


def python_block(mark: str) -> str:
    (block,) = [block for block in PYTHON if mark in block]
    return str(block)


def expansions(text: str) -> Iterator[str]:
    """Yield *text*, and what is in each ``$(…)`` of it, however deep."""
    yield text
    depth, start = 0, 0
    for place in range(len(text)):
        if text.startswith("$(", place):
            if not depth:
                start = place + 2
            depth += 1
        elif text[place] == ")" and depth:
            depth -= 1
            if not depth:
                yield from expansions(text[start:place])


def commands(program: str) -> list[list[str]]:
    """Return the words after *program* of every command of the document."""
    lines = (
        line.strip() for block in SHELL + re.findall(r"`([^`\n]+)`", DOCUMENT) for line in block.splitlines()
    )
    found = []
    for text in (flat(part) for line in lines for part in expansions(line)):
        for match in re.finditer(rf"(?:^|[|;{{]|as_caller) *{program} (.*)", text):
            words = shlex.shlex(match[1], posix=True, punctuation_chars="|;<>")
            words.whitespace_split = True
            found.append(list(takewhile(lambda word: not set(word) <= set("|;<>"), words)))
    return found


def flat(text: str) -> str:
    """Return *text* with a word for each ``$(…)``."""
    made, depth = "", 0
    for place, letter in enumerate(text):
        if text.startswith("$(", place):
            made += "" if depth else "EXPANDED"
            depth += 1
        elif not depth:
            made += letter
        elif letter == ")":
            depth -= 1
    return made


AWS: Final = commands("aws")
OURS: Final = commands("background-jobs")


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(OF_BOTOCORE.get(service, service))


def options_of(words: list[str]) -> dict[str, str]:
    """Return the options among *words*, each with the word after it."""
    following = [*words[1:], ""]
    return {word[2:]: after for word, after in zip(words, following, strict=True) if word.startswith("--")}


def operation(words: list[str]) -> OperationModel:
    service, name = words[:2]
    model = service_model(service)
    if name == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service)
        (waiter,) = [w for w in waiters.waiter_names if xform_name(w, "-") == words[2]]
        return model.operation_model(waiters.get_waiter(waiter).operation)
    (found,) = [known for known in model.operation_names if xform_name(known, "-") == name]
    return model.operation_model(found)


@pytest.mark.parametrize("words", AWS, ids=" ".join)
def test_a_command_of_the_aws_cli_is_an_operation_with_these_parameters(words: list[str]) -> None:
    given = options_of(words)
    if allowed := MADE_BY_THE_CLI.get((words[0], words[1])):
        assert given.keys() <= allowed
        return
    shape = operation(words).input_shape
    members: dict[str, Shape] = {
        xform_name(name, "-"): member for name, member in (shape.members if shape else {}).items()
    }
    assert given.keys() - GLOBAL <= members.keys()
    required = {xform_name(name, "-") for name in (shape.required_members if shape else [])}
    assert required <= given.keys()
    for name, value in given.items():
        choices = getattr(members.get(name), "enum", None)
        assert not choices or value in choices


@pytest.mark.parametrize("block", SHELL)
def test_a_block_of_commands_is_bash(block: str) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block, text=True, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_document_has_commands_for_each_step() -> None:
    steps = re.findall(r"^## (\d+)\. (.+)$", DOCUMENT, flags=re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert len(AWS) > 40
    # and the table at the top leads to each of them
    anchors = {
        f"{number}-{re.sub(r'[^a-z0-9 ]', '', title.lower()).replace(' ', '-')}" for number, title in steps
    }
    led = set(re.findall(r"\]\(#([\w-]+)\)", DOCUMENT))
    assert led <= anchors
    assert {anchor.split("-")[0] for anchor in anchors - led} == {"1", "2"}


@pytest.mark.parametrize("words", OURS, ids=" ".join)
def test_a_command_of_ours_parses(words: list[str]) -> None:
    name = 2 if words[0] in ("local", "schedule") else 1
    answer = run(*words[:name], "--help", *words[name:])
    assert answer.exit_code == 0, answer.output


@pytest.fixture(scope="module")
def first() -> EnvironmentConfig:
    """The environment that the document tells to add, as a first deployment has it."""
    found: dict[str, Any] = {}
    exec(python_block("EnvironmentConfig("), found)
    config: EnvironmentConfig = found["FIRST"]
    return config.model_copy(update={"protected": False})


@pytest.fixture(scope="module")
def deployed(synthesized: Synthesize, first: EnvironmentConfig) -> Template:
    return synthesized(first)


def test_the_names_that_are_looked_up_are_in_the_stack(deployed: Template) -> None:
    looked_up = re.findall(r"\$\(resource (\S+) (\w+)\)", DOCUMENT)
    assert len(looked_up) > 8
    for kind, prefix in looked_up:
        found = [
            name
            for name, made in deployed["Resources"].items()
            if made["Type"] == f"AWS::{kind}" and name.startswith(prefix)
        ]
        assert len(found) == 1, (kind, prefix, found)
    outputs = set(re.findall(r"\$\(output (\w+)\)", DOCUMENT))
    assert outputs
    assert outputs <= deployed["Outputs"].keys()


def test_names_of_the_environment_are_its_own(first: EnvironmentConfig) -> None:
    environments = re.findall(r"-c environment=(\w+)", DOCUMENT)
    assert set(environments) == {first.environment}
    assert set(re.findall(r"--event-bus-name (\S+)", DOCUMENT)) == {first.event_bus}
    services = set(re.findall(r"--service (\w+)", DOCUMENT)) - {"code"}
    assert services <= {service.name for service in first.services}
    families = set(re.findall(r"--family (\S+)", DOCUMENT))
    assert families <= {f"background-jobs-first-{service.name}" for service in first.services}
    # whose one bus does not stand in the way of the others
    assert not first.deletion_protection


def test_variables_alarms_and_options_exist(deployed: Template) -> None:
    variables = set(re.findall(rf"{PREFIX}\w+", DOCUMENT))
    assert variables
    assert variables <= Settings.variable_names()
    alarms = {
        found[1]
        for name, made in deployed["Resources"].items()
        if made["Type"] == "AWS::CloudWatch::Alarm"
        and (found := re.fullmatch(r"MonitoringAlarms(\w+)[0-9A-F]{8}", name))
    }
    spoken_of = set(re.findall(r"`([A-Z]\w+)`", DOCUMENT)) & ({*Metric} | alarms | {"RecordsGivenUp"})
    assert len(spoken_of) >= 5
    assert spoken_of <= alarms
    assert "api_concurrency" in EnvironmentConfig.model_fields


def test_the_item_that_is_removed_by_hand_is_where_the_log_has_it(first: EnvironmentConfig) -> None:
    key = re.search(r'"pk\\": \{\\"S\\": \\"(.*?)#\$id\\"\}, \\"sk\\": \{\\"S\\": \\"(.*?)\\"', DOCUMENT)
    assert key is not None
    assert key[1] == first.services[0].name
    assert key[2] == COMPLETED


def test_the_price_is_what_the_document_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(python_block("estimate_cost("), {})
    assert f"About {capsys.readouterr().out.strip()} for" in DOCUMENT


def test_the_job_of_the_document_is_a_job_of_all_its_services(first: EnvironmentConfig) -> None:
    found: dict[str, Any] = {"__name__": "jobs"}
    exec(python_block("@job_name"), found)
    assert {service.jobs for service in first.services} == {(find_definition(found["wait"]).name,)}
    params = [json.loads(text) for text in re.findall(r"echo '(\{.*?\})' \|", DOCUMENT)]
    assert len(params) > 8
    assert all(given.keys() <= found["Wait"].model_fields.keys() for given in params)
