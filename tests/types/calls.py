"""Calls of the SDK as type checkers see them; a line that they are to refuse says so at its end."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_type

from pydantic import BaseModel
from typing_extensions import TypedDict

from background_jobs import (
    Failure,
    JobContext,
    JobResults,
    Orchestration,
    OrchestrationService,
    Retry,
    Stage,
    Success,
    aio,
    job_name,
)


class Batch(BaseModel):
    size: int


class Row(TypedDict):
    customer: str


@dataclass
class Total:
    value: int
    at: datetime


@job_name("add_up")
def add_up(params: Batch) -> Total:
    return Total(params.size, datetime.now(UTC))


@job_name("list_names", retry=Retry(max_attempts=3))
def list_names(params: Row, job: JobContext) -> list[str]:
    job.progress(50)
    return [params["customer"]]


@job_name("fetch")
async def fetch(params: Batch) -> int:
    return params.size


@job_name("fetch_with_progress")
async def fetch_with_progress(params: Batch, job: JobContext) -> int:
    return params.size + job.index


@job_name("export")
class Export:
    def run(self, params: Batch, job: JobContext) -> dict[str, int]:
        return {"size": params.size, "index": job.index}


@job_name("load")
class Load:
    async def run(self, batch: Batch) -> None: ...


@job_name("rates")
async def rates(params: dict[str, float]) -> float:
    return params["rate"]


@job_name("anything")
def anything(params: dict[str, Any]) -> Any:
    return params["n"]


def kick_off(service: OrchestrationService) -> None:
    batches = [Batch(size=1)]
    assert_type(service.kick_off_job(add_up, batches), Orchestration[Total])
    assert_type(
        service.kick_off_job(list_names, [Row(customer="acme")], parallelism=3), Orchestration[list[str]]
    )
    assert_type(service.kick_off_job(fetch, batches), Orchestration[int])
    assert_type(service.kick_off_job(fetch_with_progress, batches), Orchestration[int])
    assert_type(
        service.kick_off_job(Export, (Batch(size=n) for n in range(3))), Orchestration[dict[str, int]]
    )
    assert_type(service.kick_off_job(Load, batches), Orchestration[None])
    assert_type(service.kick_off_job(anything, [{"n": 1}]), Orchestration[Any])
    assert_type(service.kick_off_job(list_names, [{"customer": "acme"}]), Orchestration[list[str]])
    assert_type(service.kick_off_job(rates, [{"rate": 1}]), Orchestration[float])
    assert_type(service.kick_off_job("add_up", [{"size": 1}]), Orchestration[Any])


def go_on(service: OrchestrationService) -> None:
    then = Stage(Load, params={"size": "$result.value"}, timeout=60, then=Stage(fetch, [{"size": 1}]))
    assert_type(service.kick_off_job(add_up, [Batch(size=1)], then=then), Orchestration[Total])
    assert_type(then.job_name, str)
    Stage("load", params="results", retry=Retry(max_attempts=2))
    Stage(3)  # refused
    Stage("load", on_failure="ignore")  # refused


def refuse(service: OrchestrationService) -> None:
    service.kick_off_job(add_up, [Row(customer="acme")])  # refused
    service.kick_off_job(add_up, [{"size": 1}])  # refused
    service.kick_off_job(Export, [1])  # refused
    service.kick_off_job(fetch, ["a"])  # refused
    service.kick_off_job(list_names, [Batch(size=1)])  # refused
    service.kick_off_job(add_up, [Batch(size=1)], parallelism="many")  # refused
    service.kick_off_job(3, [{"n": 1}])  # refused
    service.kick_off_job(add_up, [Batch(size="one")])  # refused


def read(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job(add_up, [Batch(size=1)])
    successes, failures = orchestration.results()
    assert_type(successes[0].result.at, datetime)
    assert_type(failures[0].params if failures else None, dict[str, Any] | None)
    assert_type(orchestration.results().raise_on_failure(), JobResults[Total])
    for outcome in orchestration.as_completed():
        assert_type(outcome, Success[Total] | Failure)
    assert_type(orchestration.rerun(), Orchestration[Total])
    assert_type(service.orchestration("id"), Orchestration[Any])
    assert_type(service.orchestration("id", add_up), Orchestration[Total])
    assert_type(service.orchestration("id", Load), Orchestration[None])
    add_up(successes[0].result)  # refused


async def read_async(service: aio.OrchestrationService, batches: AsyncIterator[Batch]) -> None:
    orchestration = await service.kick_off_job(Export, batches)
    assert_type(orchestration, aio.Orchestration[dict[str, int]])
    successes, _ = await orchestration.results()
    assert_type(successes[0].result, dict[str, int])
    assert_type((await service.orchestration("id", fetch)), aio.Orchestration[int])
    await service.kick_off_job(Export, [Total(1, datetime.now(UTC))])  # refused


def call_locally() -> None:
    assert_type(add_up(Batch(size=1)), Total)
    add_up(1)  # refused
