"""What up to ten thousand instances that do nothing take, counted, and what the plan says of them."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import boto3
import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.core.events import LOG_PARTITIONS
from background_jobs.core.ids import execution_name
from background_jobs.core.planning.blocks_written import FASTEST_INSTANCE
from background_jobs.core.planning.footprint import TRANSACTION, Footprint, estimate_footprint
from background_jobs.core.planning.plan import Workload
from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH, USAGE_PATH
from benchmarks import jobs
from benchmarks.counting import Counted, count_writes
from benchmarks.simulate.fan_out import Figures, Orchestration, World, simulate
from benchmarks.simulate.workloads import constant
from tests.offline import become_caller, until

SIZES: Final = (100, 1_000, 10_000)
TOTAL: Final = SIZES[-1]
CONTAINERS: Final = 2
STATES: Final = 3 + CONTAINERS
"""Those of an execution without trouble: FanOut, Settle, CloseUnfinished, and RunContainer for each share."""
BOUNDS: Final = {
    "log write units": (30, 250),
    "read model write units": (60, 60),
    "stream records": (30, 30),
    "calls of the caller": (20, 8),
    "reads of containers": (20, 10),
    "writes of containers": (20, 10),
    "bytes sent": (60_000, 100_000),
    "bytes answered": (60_000, 120_000),
    "read units": (100, 40),
    "invocations": (20, 6),
}
"""What an orchestration may take, and every thousand of its instances beside that.

Blocks are written by time, so a slow machine writes more of them for as many instances.
"""
FLAT: Final = ("log write units", "stream records", "bytes sent", "bytes answered", "read units")


class Run(NamedTuple):
    counted: Counted
    versions: int
    """Of the read model."""
    calls: Counter[str]
    """Of the caller, the containers and the functions, but those by which the caller waits."""
    usage: Counter[str]

    @property
    def costs(self) -> dict[str, int]:
        """Return everything that AWS bills by number."""
        return {
            "log write units": self.counted.log_units,
            "read model write units": self.counted.read_model_units,
            "stream records": self.counted.stream_records,
            "calls of the caller": self.count_calls("caller"),
            "reads of containers": self.count_calls("container") - self.calls["container PutItem"],
            "writes of containers": self.calls["container PutItem"],
            **self.usage,
        }

    def count_calls(self, *callers: str) -> int:
        return sum(count for call, count in self.calls.items() if call.split()[0] in callers)


def read_counts(stack: LocalStack, path: str) -> Counter[str]:
    with urllib.request.urlopen(stack.variables["AWS_ENDPOINT_URL"] + path) as answer:
        return Counter(json.load(answer))


def has_succeeded(execution: str) -> bool:
    states = boto3.client("stepfunctions")
    (machine,) = states.list_state_machines()["stateMachines"]
    arn = f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{execution}"
    return bool(states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED")


def run_no_ops(stack: LocalStack, service: OrchestrationService, total: int) -> Run:
    calls, usage = read_counts(stack, PATH), read_counts(stack, USAGE_PATH)
    orchestration = service.kick_off_job("no_op", ({"n": n} for n in range(total)), parallelism=CONTAINERS)
    successes, failures = orchestration.results(120)
    assert failures is None
    assert len(successes) == total
    until(lambda: orchestration.summary().done)
    # its execution goes on for some seconds, which are to be counted here and not with the next one
    until(lambda: read_counts(stack, USAGE_PATH)["transitions"] == usage["transitions"] + STATES)
    until(lambda: has_succeeded(execution_name("default", orchestration.id)))
    calls, usage = read_counts(stack, PATH) - calls, read_counts(stack, USAGE_PATH) - usage
    for call in ("GetItem", "TransactGetItems", "ListStateMachines", "DescribeExecution"):
        del calls[f"caller {call}"]  # whose number is that of the seconds
    counted = count_writes(stack.settings, "default", orchestration.id, total)
    return Run(counted, orchestration.summary().version, calls, usage)


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[int, Run]]:
    with (
        LocalStack(str(Path(jobs.__file__)), containers=CONTAINERS) as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        service = become_caller(stack, patch)
        run_no_ops(stack, service, CONTAINERS)  # what has worked before costs no more than it does later
        yield {total: run_no_ops(stack, service, total) for total in SIZES}
    clients.forget_clients()


@pytest.fixture(scope="module")
def run(runs: dict[int, Run]) -> Run:
    return runs[TOTAL]


@pytest.fixture(scope="module")
def planned() -> Footprint:
    work = Workload(instances=TOTAL, seconds=0, parallelism=CONTAINERS, params_bytes=9, result_bytes=4)
    return estimate_footprint(work.run())


@pytest.fixture(scope="module")
def simulated() -> Figures:
    work = Orchestration(seconds=constant(TOTAL, FASTEST_INSTANCE), parallelism=CONTAINERS)
    (fan_out,) = simulate([work], World(containers=CONTAINERS))
    return fan_out.figures


@pytest.mark.parametrize("total", SIZES)
@pytest.mark.parametrize("cost", BOUNDS)
def test_an_orchestration_and_every_thousand_of_its_instances_take_no_more_than(
    runs: dict[int, Run], cost: str, total: int
) -> None:
    fixed, each_thousand = BOUNDS[cost]
    assert 0 < runs[total].costs[cost] <= fixed + each_thousand * total / 1_000


@pytest.mark.parametrize("cost", FLAT)
def test_an_instance_costs_no_more_where_there_are_many(runs: dict[int, Run], cost: str) -> None:
    one_thousand, ten_thousand = (runs[total].costs[cost] / total for total in SIZES[1:])
    assert ten_thousand <= 1.1 * one_thousand


@pytest.mark.parametrize("total", SIZES)
def test_a_kick_off_takes_three_calls_whatever_its_size(runs: dict[int, Run], total: int) -> None:
    calls = runs[total].calls
    assert (calls["caller s3 PUT"], calls["caller TransactWriteItems"], calls["caller PutItem"]) == (2, 1, 0)
    assert calls["start_orchestration StartExecution"] == 1


@pytest.mark.parametrize("total", SIZES)
def test_functions_take_two_calls_an_invocation(runs: dict[int, Run], total: int) -> None:
    run = runs[total]
    functions = run.calls.total() - run.count_calls("caller", "container")
    assert 0 < functions <= 8 + 2 * run.usage["invocations"]


@pytest.mark.parametrize("total", SIZES)
def test_results_take_a_query_for_each_partition_of_the_log(runs: dict[int, Run], total: int) -> None:
    assert runs[total].calls["caller Query"] == LOG_PARTITIONS.count(total)


@pytest.mark.parametrize("total", SIZES)
def test_the_states_of_an_execution_do_not_follow_its_instances(
    runs: dict[int, Run], planned: Footprint, total: int
) -> None:
    assert runs[total].usage["transitions"] == STATES <= planned.state_transitions


def test_the_plan_says_what_is_counted(run: Run, planned: Footprint) -> None:
    # this machine is slower or faster than the plan takes a container to be, so that a block has more or less
    assert planned.log_write_units / 2 <= run.counted.log_units <= 2 * planned.log_write_units
    assert planned.stream_records / 2 <= run.counted.stream_records <= 4 * planned.stream_records
    # offline the stream gathers no window, so that there are as many versions as it comes; each of them takes a
    # write of the summary, of the feed and mostly of a chunk, and those of all have the planned contents
    assert planned.commits <= run.versions <= run.counted.stream_records
    least = TRANSACTION * run.versions
    assert 2 * least <= run.counted.read_model_units <= 3 * least + planned.model_write_units


def test_the_simulation_has_what_is_counted(run: Run, simulated: Figures) -> None:
    assert simulated.launches == run.counted.launches == CONTAINERS
    # the events of the orchestration itself are not simulated, and this machine is slower or faster
    assert simulated.stream_records / 2 <= run.counted.stream_records <= 4 * simulated.stream_records
