"""The stack, synthesized once for all its tests, and the packages from npm, if npm can be reached."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.node import use_bundled_node
from background_jobs.cdk.synthesis import synthesize
from tests.infrastructure.interpreter import Interpreter
from tests.node import PackagesNotInstalled, install_packages

_ASSEMBLY: Final = TemporaryDirectory(prefix="cdk.out-")
"""Into which this process synthesizes; removed when it ends."""
NODE = Path(__file__).with_name("node")
Template = dict[str, Any]
Synthesize = Callable[[EnvironmentConfig], Template]


@pytest.fixture(scope="package", autouse=True)
def no_warnings_of_cdk() -> Iterator[None]:
    """Spare each synthesis CDK's own validation: it only warns, and takes five seconds of CPU to start."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CDK_VALIDATION", "false")
        yield


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesize an environment with an empty layer, held to AWS's rules; needs no network and no package index."""
    layer: Path = tmp_path_factory.mktemp("layer")
    (layer / "README").write_text("empty")
    known: dict[str, Template] = {}

    def synthesized(config: EnvironmentConfig) -> Template:
        name = config.model_dump_json()
        if name not in known:
            known[name] = synthesize(config, dependencies=layer, checked=True, outdir=_ASSEMBLY.name)
        return known[name]

    return synthesized


def of_type(template: Template, kind: str) -> list[dict[str, Any]]:
    """Return the properties of every resource of one type."""
    return [r.get("Properties", {}) for r in template["Resources"].values() if r["Type"] == kind]


def text_of(value: str | dict[str, Any]) -> str:
    """Return a value of a template as text, with the names of resources in place of their deployed values."""
    match value:
        case {"Fn::Join": [str(separator), [*parts]]}:
            return separator.join(text_of(part) for part in parts)
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
    return str(value)


def statements_of(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a policy allows, or what a role allows by itself; nothing of any other resource."""
    properties = resource.get("Properties", {})
    match resource["Type"]:
        case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
            documents = [properties["PolicyDocument"]]
        case "AWS::IAM::Role":
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        case _:
            documents = []
    return [statement for document in documents for statement in document["Statement"]]


def unpacked_settings(template: Template) -> Path:
    """Return the folder from which the layer with the settings of an environment is made."""
    told = [str(layer.get("Description", "")) for layer in of_type(template, "AWS::Lambda::LayerVersion")]
    (name,) = [text.removeprefix("Settings ") for text in told if text.startswith("Settings ")]
    return Path(_ASSEMBLY.name) / "background-jobs" / f"settings-{name}"


def resolved(statement: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the conditions of a statement, with the names of resources in place of their deployed values."""
    return {
        operator: {key: text_of(value) for key, value in keys.items()}
        for operator, keys in statement.get("Condition", {}).items()
    }


@pytest.fixture(scope="session")
def template(synthesized: Synthesize) -> dict[str, Any]:
    """The template of the environment `prod`."""
    return synthesized(load_environment("prod"))


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder with the packages of package.json, installed from its lock file."""
    use_bundled_node()
    try:
        install_packages(NODE)
    except PackagesNotInstalled as refused:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"Not tested: {refused}")
    return NODE


@pytest.fixture(scope="session")
def interpreter(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    interpreter = Interpreter(node / "interpret.mjs", tmp_path_factory.mktemp("interpreter") / "errors.txt")
    yield interpreter
    interpreter.end()


def run_node(script: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a script with Node."""
    return subprocess.run(
        ["node", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
