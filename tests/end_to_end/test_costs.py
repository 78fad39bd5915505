"""What ten thousand instances that do nothing take, counted, and compared with what the plan says of them."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from background_jobs.aws import clients
from background_jobs.core.planning.blocks_written import FASTEST_INSTANCE
from background_jobs.core.planning.footprint import Footprint, estimate_footprint
from background_jobs.core.planning.plan import Workload
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH
from benchmarks import jobs
from benchmarks.counting import Counted, count_writes
from benchmarks.simulate.fan_out import Figures, Orchestration, World, simulate
from benchmarks.simulate.workloads import constant
from tests.offline import become_caller

TOTAL: Final = 10_000
CONTAINERS: Final = 2


class Run(NamedTuple):
    counted: Counted
    calls: int
    """Of the caller, the containers and the functions together."""


def count_calls(stack: LocalStack) -> int:
    """Count all calls but those by which the caller waits, whose number is that of the seconds."""
    with urllib.request.urlopen(stack.variables["AWS_ENDPOINT_URL"] + PATH) as answer:
        calls: dict[str, int] = json.load(answer)
    return sum(count for name, count in calls.items() if name != "caller GetItem")


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with (
        LocalStack(str(Path(jobs.__file__)), containers=CONTAINERS) as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        service = become_caller(stack, patch)
        service.kick_off_job("no_op", [{"n": 0}]).results(60)
        before = count_calls(stack)
        orchestration = service.kick_off_job(
            "no_op", ({"n": n} for n in range(TOTAL)), parallelism=CONTAINERS
        )
        successes, failures = orchestration.results(120)
        assert failures is None
        assert len(successes) == TOTAL
        calls = count_calls(stack) - before
        yield Run(count_writes(stack.settings, "default", orchestration.id, TOTAL), calls)
    clients._client.cache_clear()


@pytest.fixture(scope="module")
def planned() -> Footprint:
    work = Workload(instances=TOTAL, seconds=0, parallelism=CONTAINERS, params_bytes=9, result_bytes=4)
    return estimate_footprint(work.run())


@pytest.fixture(scope="module")
def simulated() -> Figures:
    work = Orchestration(seconds=constant(TOTAL, FASTEST_INSTANCE), parallelism=CONTAINERS)
    (fan_out,) = simulate([work], World(containers=CONTAINERS))
    return fan_out.figures


def test_a_short_instance_takes_a_fraction_of_a_write_unit_in_the_log(run: Run) -> None:
    assert run.counted.log_units / TOTAL <= 0.25


def test_a_short_instance_takes_a_fraction_of_a_write_unit_in_the_read_model(run: Run) -> None:
    assert run.counted.read_model_units / TOTAL <= 0.06


def test_the_stream_has_a_record_of_a_block_and_none_of_an_instance(run: Run) -> None:
    assert run.counted.stream_records / TOTAL <= 0.03


def test_calls_are_made_for_blocks_and_batches_alone(run: Run) -> None:
    assert run.calls / TOTAL <= 0.02


def test_the_plan_says_what_is_counted(run: Run, planned: Footprint) -> None:
    # this machine is slower or faster than the plan takes a container to be, so that a block has more or less
    assert planned.log_write_units / 2 <= run.counted.log_units <= 2 * planned.log_write_units
    assert planned.stream_records / 2 <= run.counted.stream_records <= 4 * planned.stream_records
    # offline the stream has one shard and gathers no window, so the number of versions is that of the moment
    assert planned.model_write_units / 4 <= run.counted.read_model_units <= 4 * planned.model_write_units


def test_the_simulation_has_what_is_counted(run: Run, simulated: Figures) -> None:
    assert simulated.launches == run.counted.launches == CONTAINERS
    # the events of the orchestration itself are not simulated, and this machine is slower or faster
    assert simulated.stream_records / 2 <= run.counted.stream_records <= 4 * simulated.stream_records
