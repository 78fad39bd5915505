"""A container that is frozen, given up, and continued after others have done its work."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import differences
from background_jobs.local_stack import LocalStack
from tests.offline import containers, send_to_container, until

TOTAL = 8
PATIENCE = 60
SILENCE = 6
"""Seconds; after five, a container asks before it begins an instance."""


@pytest.fixture
def stores(stack: LocalStack) -> Stores:
    return Stores.of(stack.settings)


@pytest.fixture
def read_log(stack: LocalStack) -> Callable[[Orchestration], dict[str, Any]]:
    def read_log(orchestration: Orchestration) -> dict[str, Any]:
        pages = clients.dynamodb().get_paginator("scan").paginate(TableName=stack.settings.event_log_table)
        items = [item for page in pages for item in page["Items"] if orchestration.id in item["pk"]["S"]]
        return {item["pk"]["S"] + item["sk"]["S"]: item for item in items}

    return read_log


@pytest.mark.parametrize("size", [10, 30_000])
def test_a_container_that_slept_changes_nothing_after_the_end_and_begins_nothing(  # noqa: PLR0913, PLR0917 -- fixtures
    service: OrchestrationService,
    stack: LocalStack,
    stores: Stores,
    tmp_path: Path,
    read_log: Callable[[Orchestration], dict[str, Any]],
    size: int,
) -> None:
    # given a container that is frozen in the midst of its share
    runs = tmp_path / "runs"
    params = [{"runs": str(runs), "seconds": 0.4, "bytes": size}] * TOTAL
    orchestration = service.kick_off_job("sign", params, parallelism=1)
    until(lambda: orchestration.summary().completed >= 2)
    (frozen,) = containers(stack.stack_id, orchestration.id)
    send_to_container(frozen.pid, signal.SIGSTOP)
    frozen_at = time.monotonic()

    # when another launch does the work to the end, and the first goes on much later
    assert subprocess.run(frozen.cmdline(), env=frozen.environ(), check=False).returncode == 0
    until(lambda: orchestration.summary().done)
    results = service.get_job_results(orchestration.id).successes
    time.sleep(max(0.0, frozen_at + SILENCE - time.monotonic()))
    log, begun = read_log(orchestration), runs.read_text().splitlines()
    send_to_container(frozen.pid, signal.SIGCONT)

    # then it ends, and every result and all that is in the log are what they were
    until(lambda: not containers(stack.stack_id, orchestration.id))
    assert [(success.index, success.result) for success in results] == [
        (success.index, success.result) for success in service.get_job_results(orchestration.id).successes
    ]
    assert {success.index for success in results} == set(range(TOTAL))
    more = read_log(orchestration)
    assert log.items() <= more.items()
    # the state machine may have launched the share once more, which found nothing to do
    assert {more[place]["type"]["S"] for place in more.keys() - log.keys()} <= {
        "ContainerStarted",
        "ContainerEnded",
    }
    assert runs.read_text().splitlines() == begun
    assert differences(orchestration.id, stores) == []
