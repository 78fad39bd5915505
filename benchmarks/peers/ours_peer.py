"""Ours: one kick-off for all tasks, on the offline stack; as a script, it is the main of the containers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from background_jobs import OrchestrationService, Success, job_name, run_e11_job
from background_jobs.core.statuses import Status
from benchmarks.peers.protocol import Place
from benchmarks.peers.work import JOBS


class _Caller:
    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._service = OrchestrationService()

    def kick_off(self, job: str, arguments: Iterable[Any]) -> str:
        params = ({"argument": argument} for argument in arguments)
        return self._service.kick_off_job(job, params, parallelism=self._workers).id

    def results(self, handle: str, patience: float) -> Iterator[Any]:
        orchestration = self._service.orchestration(handle)
        try:
            yield from (success.result for success in orchestration.results(patience).successes)
        except TimeoutError:
            completed = orchestration.outcomes(Status.COMPLETED)
            yield from (outcome.result for outcome in completed if isinstance(outcome, Success))


def connect(place: Place) -> _Caller:
    """Return the caller."""
    return _Caller(place.workers)


def _job(work: Callable[[Any], Any]) -> Callable[[dict[str, Any]], Any]:
    @job_name(work.__name__)
    def run(params: dict[str, Any]) -> Any:  # noqa: ANN401 -- whatever the work returns
        return work(params["argument"])

    return run


if __name__ == "__main__":
    run_e11_job([_job(work) for work in JOBS.values()])
