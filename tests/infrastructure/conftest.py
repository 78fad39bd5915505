"""The stack, synthesized once for all tests of it; needs no network and no package index."""

from pathlib import Path
from typing import Any

import pytest

from cdk.config import stage_named
from cdk.synthesis import synthesize


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template of the stage `prod`, with an empty layer."""
    layer: Path = tmp_path_factory.mktemp("layer")
    (layer / "README").write_text("empty")
    return synthesize(stage_named("prod"), dependencies=layer)
