"""The law of totals: however reruns repair stages, each success of the stage before is in a total once."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from background_jobs import InvalidKickOff, Orchestration, Stage, job_name
from background_jobs.core.ids import next_stage_id
from background_jobs.testing import BackgroundJobs

failing: dict[str, set[int]] = {"read": set(), "load": set()}


def pass_on(job: str, params: dict[str, Any]) -> dict[str, Any]:
    if params["n"] in failing[job]:
        raise ValueError(params["n"])
    return {"n": params["n"]}


@job_name("read")
def read(params: dict[str, Any]) -> dict[str, Any]:
    """Fail for the numbers that the test says."""
    return pass_on("read", params)


@job_name("load")
def load(params: dict[str, Any]) -> dict[str, Any]:
    """Fail for the numbers that the test says."""
    return pass_on("load", params)


@job_name("total")
def total(params: dict[str, Any]) -> list[int]:
    """Return the numbers that came."""
    return sorted(params["numbers"])


def numbers_of(orchestrations: Sequence[Orchestration]) -> set[int]:
    """Return the numbers that any of some orchestrations completed."""
    return {success.result["n"] for one in orchestrations for success in one.results().successes}


NUMBERS = range(5)
STAGES = Stage(
    "load", "results", on_failure="continue",
    then=Stage("total", {"numbers": "$results.n"}, on_failure="continue"),
)  # fmt: skip
failures = st.fixed_dictionaries({job: st.sets(st.sampled_from(NUMBERS)) for job in failing})
steps = st.lists(
    st.tuples(failures, st.sampled_from(["read", "load"]), st.integers(0, 3), st.booleans()), max_size=6
)


@settings(max_examples=25, deadline=None)
@given(failures, steps)
def test_each_success_is_in_the_latest_total_once(
    at_first: dict[str, set[int]], then: Sequence[tuple[dict[str, set[int]], str, int, bool]]
) -> None:
    with BackgroundJobs([read, load, total]) as jobs:

        def follow(orchestration: Orchestration) -> Orchestration:
            return jobs.service.orchestration(next_stage_id(orchestration.id))

        # given a pipeline whose stages went on without what failed
        failing.update(at_first)
        first = jobs.service.kick_off_job("read", [{"n": n} for n in NUMBERS], then=STAGES)
        jobs.run_until_idle()
        ran = {"read": [first], "load": [follow(first)]}
        loaded = list(ran["load"])
        latest, expected = follow(loaded[0]), numbers_of(loaded)
        # when stages run again, with the next stages and without them, and other numbers fail
        for now, job, which, with_next in then:
            failing.update(now)
            try:
                again = ran[job][which % len(ran[job])].rerun(next_stages=with_next)
            except InvalidKickOff:
                continue  # nothing is left of it
            jobs.run_until_idle()
            if job == "load":
                loaded.append(again)
            elif with_next:
                loaded.append(follow(again))
                ran["load"].append(follow(again))
            if with_next:
                latest, expected = follow(loaded[-1]), numbers_of(loaded)
        # then the latest total has every number that was loaded before it, once
        (numbers,) = (success.result for success in latest.results().successes)
        assert numbers == sorted(expected)
