"""Work that moves between the containers of the offline stack."""

from pathlib import Path

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.rebuild import check, differences
from background_jobs.core.events import ContainerEnded, InstancesClaimed
from background_jobs.local_stack import LocalStack
from tests.offline import until


def test_a_container_that_is_done_takes_over_long_instances_and_each_runs_once(
    stack: LocalStack, service: OrchestrationService, tmp_path: Path
) -> None:
    # given two shares of eight instances, of which those of the second take thirty times as long
    runs, stores = tmp_path / "runs", Stores.of(stack.settings)
    params = [{"runs": str(runs), "seconds": 0.06 if n < 8 else 1.8, "bytes": 1} for n in range(16)]

    # when they run in two containers
    orchestration = service.kick_off_job("sign", params, parallelism=2)
    successes, failures = orchestration.results(120)

    # then both have worked on the second share, each instance ran once, and its outcome is of who ran it
    assert failures is None
    assert len({success.result["pid"] for success in successes if success.index >= 8}) == 2
    ran = sorted(line.split() for line in runs.read_text().splitlines())
    assert ran == sorted([str(success.result["pid"]), str(success.index)] for success in successes)
    claims = [
        event
        for event in stores.event_log.read_all(orchestration.id, len(params))
        if isinstance(event, InstancesClaimed)
    ]
    assert claims

    # and the containers end well, and the log holds what it must
    until(lambda: orchestration.summary().done)
    ended = until(
        lambda: len(ends := _ends(stores, orchestration.id)) == 2 and ends,
    )
    assert [event.status for event in ended] == [0, 0]
    assert check(orchestration.id, stores).log == []
    assert differences(orchestration.id, stores) == []


def test_an_instance_that_hangs_is_run_by_another_container_and_its_own_is_stopped(
    stack: LocalStack, service: OrchestrationService, tmp_path: Path
) -> None:
    # given two shares, of which one has an instance that would take an hour
    stores = Stores.of(stack.settings)
    params = [{"runs": str(tmp_path), "slow": n == 14} for n in range(24)]

    # when they run in two containers
    orchestration = service.kick_off_job("race", params, parallelism=2)
    successes, failures = orchestration.results(120)

    # then the other one has run that instance, and both end at once, without a fault
    assert failures is None
    copied = [success.index for success in successes if success.result == "copy"]
    assert copied == [14]
    ended = until(lambda: len(ends := _ends(stores, orchestration.id)) == 2 and ends)
    assert [event.status for event in ended] == [0, 0]
    told = [event.type for event in orchestration.instance(14).events]
    assert told == ["JobStarted", "JobCompleted"]
    assert check(orchestration.id, stores).log == []
    assert differences(orchestration.id, stores) == []


def _ends(stores: Stores, orchestration_id: str) -> list[ContainerEnded]:
    events = stores.event_log.read_orchestration(orchestration_id).events
    return [event for event in events if isinstance(event, ContainerEnded)]
