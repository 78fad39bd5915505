"""docs/first-deployment.md, held to the code: its commands, and the names of the stack that it speaks of.

The commands of docs/deploying.md are held to the same.
"""

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

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.core.containers.capacity import SPOT
from background_jobs.core.containers.variables import stack_name, task_family
from background_jobs.core.doctor.capacity import judge_concurrency, judge_vcpus
from background_jobs.core.doctor.findings import Finding, Level, count_findings
from background_jobs.core.doctor.monitoring import SubscriptionFacts, judge_subscriptions
from background_jobs.core.doctor.services import explain_other_registry
from background_jobs.core.events.orchestrations import COMPLETED
from background_jobs.core.metrics import Metric
from background_jobs.jobs import find_definition
from background_jobs.settings import PREFIX, Settings
from tests.checkout import REPOSITORY
from tests.infrastructure.conftest import Synthesize, Template, of_type
from tests.unit.test_docs import run

DOCUMENT: Final = (REPOSITORY / "docs" / "first-deployment.md").read_text()
DEPLOYING: Final = (REPOSITORY / "docs" / "deploying.md").read_text()
PYTHON: Final = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
MARK: Final = {Level.WARNING: "!", Level.PROBLEM: "✗", Level.UNKNOWN: "?"}
MARKED: Final = tuple(f"  {mark} " for mark in MARK.values())
SHELL: Final = re.findall(r"```sh\n(.*?)```", DOCUMENT, flags=re.DOTALL)
SHELL_OF_DEPLOYING: Final = re.findall(r"```sh\n(.*?)```", DEPLOYING, flags=re.DOTALL)

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


def commands(program: str, document: str = DOCUMENT) -> list[list[str]]:
    """Return the words after *program* of every command of *document*."""
    blocks = re.findall(r"```sh\n(.*?)```", document, flags=re.DOTALL)
    lines = (
        line.strip() for block in blocks + re.findall(r"`([^`\n]+)`", document) for line in block.splitlines()
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
AWS_OF_DEPLOYING: Final = commands("aws", DEPLOYING)
OURS: Final = commands("background-jobs")


@cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(OF_BOTOCORE.get(service, service))


def options_of(words: list[str]) -> dict[str, str]:
    """Return the options among *words*, each with the word after it."""
    following = [*words[1:], ""]
    return {
        word.removeprefix("--").removeprefix("no-"): "" if word.startswith("--no-") else after
        for word, after in zip(words, following, strict=True)
        if word.startswith("--")
    }


def operation(words: list[str]) -> OperationModel:
    service, name = words[:2]
    model = service_model(service)
    if name == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service)
        (waiter,) = [w for w in waiters.waiter_names if xform_name(w, "-") == words[2]]
        return model.operation_model(waiters.get_waiter(waiter).operation)
    (found,) = [known for known in model.operation_names if xform_name(known, "-") == name]
    return model.operation_model(found)


@pytest.mark.parametrize("words", AWS + AWS_OF_DEPLOYING, ids=" ".join)
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


@pytest.mark.parametrize("block", SHELL + SHELL_OF_DEPLOYING)
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
def trial() -> EnvironmentConfig:
    """The environment that the document tells to add, as a first deployment has it."""
    found: dict[str, Any] = {}
    exec(python_block("EnvironmentConfig("), found)
    config: EnvironmentConfig = found["TRIAL"]
    return config.model_copy(update={"protected": False})


@pytest.fixture(scope="module")
def deployed(synthesized: Synthesize, trial: EnvironmentConfig) -> Template:
    return synthesized(trial)


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


def test_names_of_the_environment_are_its_own(trial: EnvironmentConfig) -> None:
    environments = re.findall(r"-c environment=(\w+)", DOCUMENT)
    assert set(environments) == {trial.environment}
    assert f"stack={stack_name(trial.environment)}\n" in DOCUMENT
    # and none of them is called as an option is, or as another of them
    names = [trial.environment, *(service.name for service in trial.services)]
    assert not {*names} & {*re.findall(r"-c (\w+)=", DOCUMENT)}
    assert len(names) == len({*names})
    assert set(re.findall(r"--event-bus-name (\S+)", DOCUMENT)) == {trial.event_bus}
    services = set(re.findall(r"--service (\w+)", DOCUMENT)) - {"code"}
    assert services <= {service.name for service in trial.services}
    families = set(re.findall(r"--family (\S+)", DOCUMENT))
    assert families <= {task_family(trial.environment, service.name) for service in trial.services}
    # whose one bus does not stand in the way of the others
    assert not trial.deletion_protection


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


def test_the_item_that_is_removed_by_hand_is_where_the_log_has_it(trial: EnvironmentConfig) -> None:
    key = re.search(r'"pk\\": \{\\"S\\": \\"(.*?)#\$id\\"\}, \\"sk\\": \{\\"S\\": \\"(.*?)\\"', DOCUMENT)
    assert key is not None
    assert key[1] == trial.services[0].name
    assert key[2] == COMPLETED


def test_the_price_is_what_the_document_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(python_block("estimate_cost("), {})
    assert f"About {capsys.readouterr().out.strip()} for" in DOCUMENT


def test_the_job_of_the_document_is_a_job_of_all_its_services(trial: EnvironmentConfig) -> None:
    found: dict[str, Any] = {"__name__": "jobs"}
    exec(python_block("@job_name"), found)
    assert {service.jobs for service in trial.services} == {(find_definition(found["wait"]).name,)}
    params = [json.loads(text) for text in re.findall(r"echo '(\{.*?\})' \|", DOCUMENT)]
    assert len(params) > 8
    assert all(given.keys() <= found["Wait"].model_fields.keys() for given in params)


def test_what_doctor_finds_in_a_new_account_is_in_the_document(trial: EnvironmentConfig) -> None:
    lines = [line[2:] for line in DOCUMENT.splitlines() if line.startswith(MARKED)]
    counted = re.findall(r"^\d+ problem.*$", DOCUMENT, flags=re.MULTILINE)
    found = [finding for finding in found_in_new_account(trial) if finding.level is not Level.OK]
    assert sorted(lines) == sorted(f"{MARK[finding.level]} {finding.sentence}" for finding in found)
    assert counted == [count_findings(found)]


def found_in_new_account(trial: EnvironmentConfig) -> Iterator[Finding]:
    for spot in (False, True):
        of_quota = {
            service.name: service.cpu / 1_024
            for service in trial.services
            if (service.runs_on == SPOT) == spot
        }
        yield from judge_vcpus(of_quota, 6, trial.max_parallelism, spot=spot)
    yield judge_concurrency(10, 10)
    for service in trial.services:
        if service.folder is None:
            yield explain_other_registry(service.name, service.image, "eu-central-1")
    waiting = SubscriptionFacts(str(trial.notify), "PendingConfirmation")
    yield from judge_subscriptions("arn:aws:sns:eu-central-1:123456789012:TOPIC", [waiting])


def test_the_price_of_a_day_is_that_of_the_alarms_and_the_dashboard(deployed: Template) -> None:
    """CloudWatch bills an alarm by the metrics that it looks at. Source: Amazon CloudWatch Pricing."""
    alarms = of_type(deployed, "AWS::CloudWatch::Alarm")
    metrics = sum(
        len([m for m in alarm.get("Metrics", [{"MetricStat": {}}]) if "MetricStat" in m]) for alarm in alarms
    )
    dashboards = len(of_type(deployed, "AWS::CloudWatch::Dashboard"))
    day = (metrics * 0.10 + dashboards * 3) / 30
    assert {*re.findall(r"\$(\d+\.\d+) a day", DOCUMENT)} == {f"{day:.2f}"}
    assert f"each of the {metrics} metrics that the {len(alarms)} alarms look at" in DOCUMENT


def test_files_that_the_steps_write_are_removed_by_the_last() -> None:
    written = {*re.findall(r"(?:^|[^>])> (\w+\.\w+)$", "\n".join(SHELL), flags=re.MULTILINE)}
    changed = {
        f"{name}.bak" for name in re.findall(r"sed -i\.bak .* (\S+)$", "\n".join(SHELL), flags=re.MULTILINE)
    }
    (removed,) = re.findall(r"^rm (.+)$", "\n".join(SHELL), flags=re.MULTILINE)
    assert written
    assert changed
    assert {*removed.split()} == written | changed
