"""`background-jobs logs`: the list of logs, and the log of one instance."""

import json
from pathlib import Path

import pytest

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.core.events import ContainerStarted
from background_jobs.local_stack.processes import STACK_ID
from background_jobs.local_stack.stack import log_folder
from tests.adapters.cli.commands import EVIL, HARMLESS, run


def test_logs_are_listed_and_read_by_index(
    service: OrchestrationService, stores: Stores, tmp_path: Path
) -> None:
    orchestration = service.kick_off_job("other", [{}] * 10, parallelism=2)
    logs = [tmp_path / f"{n}.log" for n in range(3)]
    for log, (share, launch, first, last) in zip(
        logs, [(0, 0, 0, 4), (1, 0, 5, 9), (1, 1, 5, 9)], strict=True
    ):
        log.write_text(f"{log.stem} says {EVIL}\nlast words")
        stores.event_log.append(
            ContainerStarted(
                orchestration_id=orchestration.id,
                at=stores.event_log.read_started(orchestration.id).at,
                share=share, launch=launch, first=first, last=last, log=str(log),
            )
        )  # fmt: skip

    assert run("logs", orchestration.id).stdout == (
        f"0\t0-4\t0\t{logs[0]}\n1\t5-9\t0\t{logs[1]}\n1\t5-9\t1\t{logs[2]}\n"
    )
    lines = run("logs", orchestration.id, "--json").stdout.splitlines()
    assert [ContainerStarted.model_validate_json(line).log for line in lines] == list(map(str, logs))
    # the log of an instance is that of its container, after that of the lost one before
    assert run("logs", orchestration.id, "--index", "7").stdout == (
        f"1 says {HARMLESS}\nlast words\n2 says {HARMLESS}\nlast words\n"
    )
    line, _ = run("logs", orchestration.id, "--index", "0", "--json").stdout.splitlines()
    assert json.loads(line) == {"at": None, "message": f"0 says {EVIL}"}
    for words, message in (
        (["--index", "10"], "has taken up instance 10."),
        (["--index", "0"], "is not there"),
    ):
        logs[0].unlink(missing_ok=True)
        refused = run("logs", orchestration.id, *words)
        assert (refused.exit_code, message in refused.stderr) == (2, True)


def test_offline_the_folder_of_the_logs_is_named_where_no_container_has_begun(
    service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container whose main cannot be loaded has a log, and no event that names it."""
    orchestration = service.kick_off_job("other", [{}])
    monkeypatch.setenv(STACK_ID, "0b0e3f3c")
    said = run("logs", orchestration.id).stderr
    assert "No container has begun its share." in said
    assert f"The logs of the offline stack's containers are in {log_folder('0b0e3f3c')}" in said
