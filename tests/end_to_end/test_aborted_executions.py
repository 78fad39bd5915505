"""What an execution launches after it was aborted: nothing once more."""

import time
from pathlib import Path

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.local_stack import LocalStack
from tests.offline import containers, until

SHARES = 6
QUIET = 3
"""Seconds; the first relaunch would follow within one."""


def test_no_share_of_a_cancelled_orchestration_is_launched_again(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    # given an orchestration of which some containers run, and others wait for their turn
    params = [{"runs": str(tmp_path / "runs"), "seconds": 20, "bytes": 1}] * SHARES
    orchestration = service.kick_off_job("sign", params, parallelism=SHARES)
    until((tmp_path / "runs").exists)

    # when it is cancelled, and everything has ended
    orchestration.cancel()
    until(lambda: orchestration.summary().done)
    quiet_since = time.monotonic()

    def is_quiet() -> bool:
        nonlocal quiet_since
        if containers(stack.stack_id, orchestration.id):
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET

    until(is_quiet, 90)

    # then each share was launched once at most
    pages = clients.dynamodb().get_paginator("scan").paginate(TableName=stack.settings.event_log_table)
    launches = [
        item["sk"]["S"]
        for page in pages
        for item in page["Items"]
        if orchestration.id in item["pk"]["S"] and item["type"]["S"] == "ContainerStarted"
    ]
    assert 0 < len(launches) <= SHARES, launches
