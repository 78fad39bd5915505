"""Results of a handle that knows the job."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from background_jobs import OrchestrationService, OtherJob, ResultMismatch, aio, job_name
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings


class Number(BaseModel):
    n: int


class Half(BaseModel):
    half: int


@job_name("half")
def half(params: Number) -> Half:
    return Half(half=params.n // 2)


@job_name("half")
def older(params: Number) -> dict[str, int]:
    return {"half": params.n // 2} if params.n < 4 else {"result": params.n // 2}


@pytest.fixture
def run(
    service: OrchestrationService, launch: Callable[..., int], aggregate_completion: Callable[[], None]
) -> Callable[[Any], str]:
    def run(job: Any) -> str:
        orchestration = service.kick_off_job(half, [Number(n=2), Number(n=6)], parallelism=1)
        launch(orchestration, jobs=Jobs([job]))
        aggregate_completion()
        return orchestration.id

    return run


def test_results_are_of_the_type_that_the_job_returns(
    service: OrchestrationService, run: Callable[[Any], str]
) -> None:
    orchestration = service.orchestration(run(half), half)
    assert [success.result for success in orchestration.results().successes] == [Half(half=1), Half(half=3)]
    assert {type(outcome.result) for outcome in orchestration.outcomes() if hasattr(outcome, "result")} == {
        Half
    }
    assert [success.result_json for success in orchestration.results().successes] == [
        {"half": 1},
        {"half": 3},
    ]


def test_results_are_json_where_the_job_is_known_by_its_id_alone(
    service: OrchestrationService, run: Callable[[Any], str]
) -> None:
    successes, _ = service.get_job_results(run(half))
    assert [success.result for success in successes] == [{"half": 1}, {"half": 3}]


def test_a_result_of_an_older_version_stops_none_but_its_reader(
    service: OrchestrationService, run: Callable[[Any], str]
) -> None:
    first, second = service.orchestration(run(older), half).results().successes
    assert first.result == Half(half=1)
    with pytest.raises(ResultMismatch, match=r"half\[1\] does not fit Half"):
        _ = second.result
    assert second.result_json == {"result": 3}


def test_a_handle_of_another_job_is_refused(service: OrchestrationService, run: Callable[[Any], str]) -> None:
    @job_name("other")
    def other(params: Number) -> int:
        return params.n

    with pytest.raises(OtherJob, match="is of the job 'half', not of 'other'"):
        service.orchestration(run(half), other)


def test_the_asynchronous_handle_reads_the_same(settings: Settings, run: Callable[[Any], str]) -> None:
    async def read() -> list[Half]:
        orchestration = await aio.OrchestrationService(settings).orchestration(run(half), half)
        return [success.result for success in (await orchestration.results()).successes]

    assert asyncio.run(read()) == [Half(half=1), Half(half=3)]
