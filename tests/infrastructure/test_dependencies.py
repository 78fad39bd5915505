"""The layer of the functions, as it is built for Lambda on whatever machine this is."""

import struct
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from background_jobs.cdk.dependencies import PYTHON, DependenciesNotInstalled, build_dependencies

LAMBDA_LIMIT = 250 * 1024 * 1024
AARCH64 = 183
"""e_machine of an ELF file; its place is the same in every one."""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_dependencies(tmp_path_factory.mktemp("layer"))
    except DependenciesNotInstalled as refused:
        if "No matching distribution" in str(refused) or "connection" in str(refused).lower():
            pytest.skip(f"The package index cannot be reached, so this was not tested: {refused}")
        raise


def test_what_is_compiled_is_compiled_for_the_functions_and_not_for_this_machine(layer: Path) -> None:
    compiled = list(layer.rglob("*.so"))
    assert compiled
    for path in compiled:
        assert struct.unpack_from("<H", path.read_bytes(), 18) == (AARCH64,)
        is_any_version = path.name.endswith(".abi3.so")
        assert is_any_version or f"cpython-{PYTHON.replace('.', '')}-aarch64" in path.name
    assert list(layer.rglob("*.pyc")) == []


def test_the_versions_are_those_of_the_lock_and_of_this_checkout(layer: Path) -> None:
    found = {
        distribution.metadata["Name"]: distribution.version
        for distribution in distributions(path=[str(layer / "python")])
    }
    assert found["background-job-service"] == version("background-job-service")
    assert found["pydantic"] == version("pydantic")
    assert "boto3" not in found


def test_the_layer_has_what_functions_use_and_no_more(layer: Path) -> None:
    package = layer / "python" / "background_jobs"
    assert (package / "progress_api" / "console" / "static").is_dir()
    assert not (package / "local_stack").exists()
    assert not (package / "cli").exists()
    assert sum(path.stat().st_size for path in layer.rglob("*") if path.is_file()) < LAMBDA_LIMIT
