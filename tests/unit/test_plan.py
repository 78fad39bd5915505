"""The cost model against examples that were computed by hand from the price table."""

import json
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from background_jobs.cli.main import app
from background_jobs.core.errors import InvalidTaskSize, InvalidWorkload
from background_jobs.core.limits import STREAM_BATCH
from background_jobs.core.planning.costs import estimate_cost
from background_jobs.core.planning.fargate import TaskSize
from background_jobs.core.planning.footprint import estimate_footprint
from background_jobs.core.planning.plan import Plan, Workload, plan
from background_jobs.local_stack.package_data import TEMPLATE

TEN_THOUSAND = Workload(instances=10_000, seconds=5, parallelism=100)


def dollars(estimate: Plan) -> dict[str, float]:
    return {line.service: line.dollars for line in estimate.bill.lines}


def warnings(estimate: Plan) -> set[str]:
    return {use.name for use in estimate.quotas if use.warns}


def test_the_time_is_that_of_the_last_container() -> None:
    estimate = plan(TEN_THOUSAND)
    # 20 calls of RunTask at once, the other 80 refused and tried again within 10 s; 100 instances of 5 s in each
    assert (estimate.timing.launch, estimate.timing.work, estimate.instances_a_container) == (10, 500, 100)
    # 2 s around it, and a start of 30 to 60 s
    assert estimate.timing.seconds == 2 + 10 + 45 + 500


@pytest.mark.parametrize(("cpu", "fit"), [(512, 12), (4096, 1), (8192, 1)])
def test_a_plan_beyond_the_quota_says_which_parallelism_is_within_it(cpu: int, fit: int) -> None:
    """Launches that are refused for hours cost more than the work."""
    size = TaskSize(cpu=cpu, memory_mib=2 * cpu)
    estimate = plan(Workload(instances=1_000, seconds=600, parallelism=100, size=size), vcpu_quota=6)
    (vcpus,) = (use for use in estimate.quotas if "vCPUs" in use.name)
    assert vcpus.is_exceeded
    assert f"a parallelism of {fit} at most" in vcpus.advice


def test_more_at_once_in_a_container_takes_a_part_of_the_time_and_of_the_price() -> None:
    # 100 instances of 5 s in each container: 16 at once are seven rounds, of which the last is not full
    estimate = plan(TEN_THOUSAND.model_copy(update={"concurrency": 16}))
    assert estimate.timing.work == 7 * 5
    assert dollars(estimate)["Fargate"] == pytest.approx(
        dollars(plan(TEN_THOUSAND))["Fargate"] * 60 / (20 + 500)  # a minute is billed at least
    )
    assert estimate.bill.dollars < plan(TEN_THOUSAND).bill.dollars / 3


def test_outcomes_that_come_together_share_a_block() -> None:
    one = Workload(instances=10_000, seconds=5, parallelism=10)
    fifty = one.model_copy(update={"concurrency": 50})
    # every 0.1 s an outcome, and what has gathered in 0.2 s is a block
    assert estimate_footprint(fifty.run()).stream_records == pytest.approx(
        estimate_footprint(one.run()).stream_records / 3, rel=0.02
    )


def test_the_price_of_ten_thousand_short_instances() -> None:
    price = dollars(plan(TEN_THOUSAND))
    hours = 100 * (20 + 500) / 3600
    assert price["Fargate"] == pytest.approx(hours * (0.5 * 0.03238 + 1 * 0.00356))
    assert price["Public IPv4"] == pytest.approx(hours * 0.005)
    # the Map, the wait, the last closing; the start and the one state of each of 100 children
    assert price["Step Functions"] == pytest.approx((3 + 2 * 100) * 25e-6)
    # params and manifest; a read of each share, of the manifest, and of the params beside the results
    assert price["S3"] == pytest.approx(2 * 5e-6 + 102 * 0.4e-6)
    assert plan(TEN_THOUSAND).bill.dollars == pytest.approx(sum(price.values()))


def test_the_log_takes_a_block_of_one_unit_for_each_long_instance() -> None:
    used = estimate_footprint(TEN_THOUSAND.run())
    # an outcome with the start of the next, and the first start of each container; 20 of the 39 ends of
    # partitions are within a share, and cut a block in two; the events of containers; the kick-off, which is
    # a transaction of two items, and the completion
    blocks = 10_000 + 100 + 20
    assert used.log_write_units == blocks + 100 * 2 + 2 * 2 + 1
    assert used.stream_records == blocks + 100 * 2 + 2


def test_a_share_of_one_long_instance_takes_a_block_for_its_start_and_one_for_its_outcome() -> None:
    used = estimate_footprint(Workload(instances=50, seconds=60, parallelism=50).run())
    assert used.log_write_units == 50 * 2 + 50 * 2 + 2 * 2 + 1


def test_a_short_instance_shares_its_block_with_others() -> None:
    used = estimate_footprint(Workload(instances=1_000, seconds=0.05, parallelism=1, result_bytes=4).run())
    # five outcomes and the start of the sixth are packed into less than 1 KB; three ends of partitions
    assert used.log_write_units == 1_000 / 5 + 3 + 2 + 2 * 2 + 1


def test_results_are_paid_for_by_their_size() -> None:
    small, large = (
        estimate_footprint(Workload(instances=1_000, seconds=1, parallelism=1, result_bytes=size).run())
        for size in (100, 20_000)
    )
    assert large.log_write_units == pytest.approx(20 * small.log_write_units, rel=0.02)


def test_a_large_result_is_an_object_of_its_own() -> None:
    used = estimate_footprint(Workload(instances=10, seconds=1, parallelism=1, result_bytes=100_000).run())
    assert (used.s3_puts, used.s3_gets) == (2 + 10, 3 + 10)
    assert used.log_write_units == (10 + 1) + 2 + 2 * 2 + 1


def test_a_million_instances_of_a_second_cost_little_more_than_their_computing() -> None:
    price = dollars(plan(Workload(instances=1_000_000, seconds=1, parallelism=100)))
    computing = price["Fargate"] + price["Public IPv4"]
    assert computing == pytest.approx(100 * (20 + 10_000) / 3600 * (0.01975 + 0.005))
    assert sum(price.values()) <= 8


def test_a_container_of_seconds_is_billed_as_a_minute() -> None:
    estimate = plan(Workload(instances=3, seconds=1, parallelism=3, public_ip=False))
    assert dollars(estimate)["Fargate"] == pytest.approx(3 * 60 / 3600 * 0.01975)
    assert "Public IPv4" not in dollars(estimate)


def test_uneven_shares_are_billed_as_they_are_cut() -> None:
    # 7 instances in 3 containers: 3, 2 and 2
    run = Workload(instances=7, seconds=100, parallelism=3).run()
    assert run.container_seconds == (20 + 300) + 2 * (20 + 200)


def test_processor_and_spot_change_the_price_of_the_same_hours() -> None:
    size = TaskSize(cpu=1024, memory_mib=2048, arm64=False, spot=True)
    estimate = plan(Workload(instances=1, seconds=3580, parallelism=1, size=size))
    assert dollars(estimate)["Fargate"] == pytest.approx(0.3 * (0.04048 + 2 * 0.004445))


def test_what_a_run_has_cost_follows_from_its_containers() -> None:
    bill = estimate_cost(total=1_000, containers=10, container_seconds=6_000, cpu=1024, memory_mib=2048)
    price = {line.service: line.dollars for line in bill.lines}
    assert price["Fargate"] == pytest.approx(6_000 / 3600 * (0.03238 + 2 * 0.00356))
    assert price["Step Functions"] == pytest.approx(23 * 25e-6)
    assert bill.dollars == pytest.approx(sum(price.values()))


def test_an_orchestration_of_nothing_has_cost_its_events() -> None:
    bill = estimate_cost(total=0, containers=0, container_seconds=0)
    price = {line.service: line.dollars for line in bill.lines}
    assert (price["Fargate"], price["Step Functions"]) == (0, 0)
    assert 0 < bill.dollars < 0.0001


@pytest.mark.parametrize(("quota", "warned"), [(62.5, True), (63, False)])
def test_a_plan_warns_from_four_fifths_of_a_limit_on(quota: float, *, warned: bool) -> None:
    # 100 containers of half a vCPU
    assert ("Fargate On-Demand vCPUs" in warnings(plan(TEN_THOUSAND, vcpu_quota=quota))) == warned


def test_a_fan_out_that_writes_too_fast_is_warned_of() -> None:
    calm = plan(TEN_THOUSAND, vcpu_quota=1_000)
    large_results = Workload(instances=100_000, seconds=0.01, parallelism=1_000, result_bytes=20_000)
    busy = plan(large_results, vcpu_quota=1_000)
    assert warnings(calm) == set()
    assert {
        "Write units a second in a new log table",
        "Write units a second in one partition of the log",
    } <= warnings(busy)


def test_the_fullest_limit_comes_first() -> None:
    parts = [use.used / use.limit for use in plan(TEN_THOUSAND).quotas]
    assert parts == sorted(parts, reverse=True)


def test_containers_that_only_wait_for_the_fullest_share_are_saved() -> None:
    # 100 instances in 60 containers are two in the fullest, and so they are in 50
    cheaper = plan(Workload(instances=100, seconds=60, parallelism=60), vcpu_quota=1_000).cheaper
    assert cheaper is not None
    assert cheaper.parallelism == 50


def test_more_containers_are_suggested_where_they_cost_about_the_same() -> None:
    faster = plan(TEN_THOUSAND, vcpu_quota=1_000).faster
    assert faster is not None
    assert faster.parallelism == 334
    assert faster.seconds < plan(TEN_THOUSAND).timing.seconds
    assert faster.dollars <= 1.1 * plan(TEN_THOUSAND).bill.dollars


@pytest.mark.parametrize("quota", [6, 50, 75, 200, 1_000])
@pytest.mark.parametrize("parallelism", [10, 100, 1_000])
def test_what_is_suggested_is_within_every_limit(quota: float, parallelism: int) -> None:
    given = Workload(instances=10_000, seconds=5, parallelism=parallelism)
    made = plan(given, vcpu_quota=quota)
    for suggestion in (made.cheaper, made.faster):
        if suggestion:
            other = given.model_copy(update={"parallelism": suggestion.parallelism})
            assert [use for use in plan(other, vcpu_quota=quota).quotas if use.used > use.limit] == []


def test_more_containers_than_the_account_may_run_are_not_suggested() -> None:
    # half a vCPU each
    assert plan(TEN_THOUSAND, vcpu_quota=50).faster is None
    faster = plan(TEN_THOUSAND, vcpu_quota=75).faster
    assert faster is not None
    assert 100 < faster.parallelism <= 150


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"instances": 0}, "instances=0 cannot be planned; it must be at least 1"),
        ({"seconds": float("nan")}, "seconds=nan"),
        ({"parallelism": 10_001}, "at most 10,000"),
        ({"params_bytes": 2_000_000}, "at most 1,048,576"),
    ],
)
def test_a_workload_that_cannot_be_is_refused(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidWorkload, match=message):
        Workload.model_validate({"instances": 1, "seconds": 1, "parallelism": 1, **changed})


def test_a_size_that_fargate_does_not_offer_is_refused_with_those_that_it_does() -> None:
    with pytest.raises(InvalidTaskSize, match=r"cpu=300; use one of \[256, 512, 1024"):
        TaskSize(cpu=300)
    with pytest.raises(
        InvalidTaskSize, match=r"no memory of 8192 MiB; use one of \[1024, 2048, 3072, 4096\]"
    ):
        TaskSize(cpu=512, memory_mib=8192)


def test_the_model_counts_with_the_batch_size_of_the_stack() -> None:
    """The price of the aggregator follows from how many records one call gets, which the stack sets."""
    resources = json.loads(TEMPLATE.read_text())["Resources"].values()
    mappings = [r["Properties"] for r in resources if r["Type"] == "AWS::Lambda::EventSourceMapping"]
    (aggregating,) = [m for m in mappings if "AggregateJobs" in json.dumps(m["FunctionName"])]
    assert aggregating["BatchSize"] == STREAM_BATCH


def test_the_command_prints_time_price_and_limits() -> None:
    with patch("background_jobs.cli.reporting.has_terminal", return_value=True):
        result = CliRunner().invoke(app, ["plan", "--instances", "10000", "--seconds", "5"])
    assert result.exit_code == 0
    assert "Time      0:09:17" in result.stdout
    assert "$0.2853  Fargate         14.4 hours of 0.5 vCPU and 1 GB, arm64" in result.stdout
    assert "833 %  Fargate On-Demand vCPUs: 50 of 6" in result.stdout
    assert "List prices of us-east-1" in result.stdout


def test_warm_workers_are_paid_for_by_the_month_and_save_the_start_of_the_shares_that_they_take() -> None:
    # given 10,000 instances of 5 s in 100 containers, and two workers of the same size
    planned = plan(TEN_THOUSAND.model_copy(update={"warm": 2}))
    assert planned.warm is not None
    # 730 hours of 0.5 vCPU, 1 GB and an address; those of two containers in a hundred are saved
    assert planned.warm.dollars_a_month == pytest.approx(2 * 730 * (0.3566 / 14.4), rel=0.01)
    assert planned.warm.saved_dollars == pytest.approx(0.3566 * 2 / 100, rel=0.01)
    assert (planned.warm.shares, planned.warm.start_seconds) == (2, 2)
    # the bill beside them, and the time of a container that is launched all the same, are as they were
    assert (planned.bill, planned.timing) == (plan(TEN_THOUSAND).bill, plan(TEN_THOUSAND).timing)


@pytest.mark.parametrize(("instances", "warm", "seconds"), [(1, 1, 3), (10, 10, 3), (10, 25, 3), (10, 9, 48)])
def test_the_time_is_without_a_start_where_warm_workers_take_all_shares(
    instances: int, warm: int, seconds: float
) -> None:
    """The simulation says 3.3 s of them, and 49 s where two of ten are warm."""
    planned = plan(Workload(instances=instances, seconds=1, parallelism=100, warm=warm))
    assert planned.timing.seconds == seconds


@pytest.mark.parametrize(("parallelism", "warm", "vcpus"), [(10, 0, 5), (10, 4, 5), (10, 40, 20), (1, 4, 2)])
def test_warm_workers_hold_vcpus_with_work_or_without(parallelism: int, warm: int, vcpus: float) -> None:
    planned = plan(Workload(instances=100, seconds=600, parallelism=parallelism, warm=warm), vcpu_quota=6)
    (use,) = (use for use in planned.quotas if "vCPUs" in use.name)
    assert use.used == vcpus
    assert ("keep 12 warm workers at most" in use.advice) == (warm > 12)


def test_what_one_container_works_and_writes_follows_from_how_many_instances_it_runs_at_once() -> None:
    # given 1,000 instances of an hour in each of ten containers
    one = Workload(instances=10_000, seconds=3_600, parallelism=10)
    # when all of them run at once
    uses = {
        use.name: use.used
        for use in plan(one.model_copy(update={"concurrency": 1_000}), vcpu_quota=1_000).quotas
    }
    # then it is an hour of work, and as many outcomes in it
    assert uses["Seconds of one container"] == 3_600
    alone = {use.name: use.used for use in plan(one, vcpu_quota=1_000).quotas}
    assert alone["Seconds of one container"] == 3_600_000
    written = "Write units a second in a new log table"
    assert uses[written] > 10 * alone[written]


def test_warm_workers_that_cannot_be_planned_are_refused() -> None:
    with pytest.raises(InvalidWorkload, match="warm=-1 cannot be planned"):
        Workload(instances=1, seconds=1, parallelism=1, warm=-1)


def test_the_command_prints_what_warm_workers_cost_and_save() -> None:
    with patch("background_jobs.cli.reporting.has_terminal", return_value=True):
        result = CliRunner().invoke(app, ["plan", "--instances", "1", "--seconds", "5", "--warm", "2"])
    assert "a month for 2 at all hours, used or not" in result.stdout
    assert result.stdout.startswith("1 instance of 5 s in 1 container\n")
    assert "Time      0:00:07" in result.stdout
    assert "none, for warm workers take all shares" in result.stdout
    assert "about 2 s after the kick-off in place of 47 s, for 1 of 1 share\n" in result.stdout
    assert "1 of the 2 have no share; keep fewer\n" in result.stdout


def test_the_command_prints_the_model_and_nothing_else_as_json() -> None:
    result = CliRunner().invoke(app, ["plan", "--instances", "10000", "--seconds", "5", "--json"])
    document = json.loads(result.stdout)
    assert document == plan(TEN_THOUSAND).model_dump(mode="json")
    assert document["timing"]["seconds"] == 557


def test_the_command_refuses_bad_input_in_a_sentence() -> None:
    result = CliRunner().invoke(app, ["plan", "--instances", "10", "--seconds", "5", "--cpu", "300"])
    assert result.exit_code == 2
    assert "Fargate has no cpu=300" in result.stderr
