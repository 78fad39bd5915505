"""A warm worker keeps the processes of a share for the next one of the same job, where they may stay."""

import atexit
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from background_jobs.core.containers.warm import Offer
from background_jobs.settings import HOLDER
from background_jobs.worker import descendants
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.inner_process import forking
from background_jobs.worker.next_shares import ShareLink
from background_jobs.worker.share_process import ShareProcess
from background_jobs.worker.supervisor import REUSABLE, TERMINATED, Predecessor, supervise
from background_jobs.worker.warm_shares import _forking, _InShare, take_next
from background_jobs.worker.warm_worker import WarmWorker
from tests.offline import is_running, until
from tests.unit.test_warm_worker import REVISION, Protection, Queue, Tokens

Seen = dict[str, Any]
WORKED: list[str] = []
"""The shares on which this process has worked: what a job keeps in its module."""


class Worker:
    """A warm worker whose processes note what they find, and do what the variable DO says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens = Tokens()
        self.between: dict[str, Callable[[], None]] = {}
        """What is done before an offer is received, by its token."""

    def serve(self, *offers: dict[str, str]) -> list[Seen]:
        """Work on a share for each of *offers*, which are variables; return what was found in each."""
        queue = Queue(
            *(
                Offer(
                    token=str(number),
                    task_definition=REVISION,
                    variables={"ORCHESTRATION_ID": str(number), "JOB_NAME": "job", **variables},
                )
                for number, variables in enumerate(offers)
            )
        )
        receive = queue.receive

        def receive_after() -> Any:
            self.between.get(str(len(self.seen())), lambda: None)()
            return receive()

        queue.receive = receive_after  # type: ignore[method-assign]
        parts: tuple[Any, Any, Any] = (queue, self.tokens, Protection())
        logs = lambda share: str(self.folder / f"log-{share}")  # noqa: E731
        fork = _forking(logs, lambda: None)
        assert WarmWorker(REVISION, *parts, partial(self._start, fork)).serve() == TERMINATED
        return self.seen()

    def seen(self) -> list[Seen]:
        path = self.folder / "seen"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _start(
        self,
        fork: Callable[[Mapping[str, str], ShareProcess | None], ShareProcess],
        variables: Mapping[str, str],
        kept: ShareProcess | None,
    ) -> ShareProcess:
        """Fork as the worker does, and be the main of the jobs in the fork."""
        try:
            return fork(variables, kept)
        except _InShare as in_share:
            try:
                atexit._clear()
                os._exit(self._supervise(in_share.link))
            finally:
                os._exit(70)

    def _supervise(self, link: ShareLink) -> int:
        return supervise(
            forking(self._work),
            lambda: SharedCurrentAttempt(link=ShareLink()),
            next_share=partial(take_next, link),
        )

    def _work(self, shared: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        WORKED.append(os.environ["ORCHESTRATION_ID"])
        shared.begin_launch(0 if predecessor is None else predecessor.launch + 1)
        seen = {
            "pid": os.getpid(),
            "outer": os.getppid(),
            "worked": len(WORKED),
            "variables": dict(os.environ),
            "blamed": [blame.index for blame in predecessor.blames] if predecessor else None,
        }
        os.write(1, b"printed %s\n" % os.environ["ORCHESTRATION_ID"].encode())
        with (self.folder / "seen").open("a") as file:
            file.write(json.dumps(seen) + "\n")
        return self._do(os.environ.get("DO", ""), shared, predecessor)

    def _do(self, what: str, shared: SharedCurrentAttempt, predecessor: Predecessor | None) -> int:
        match what:
            case "end":
                return 0
            case "at exit":
                atexit.register((self.folder / "flushed").write_text, "")
            case "kill" if predecessor is None:
                shared.publish(CurrentAttempt(7, 1, float("inf")))
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill outer":
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)
            case "terminate":
                os.kill(psutil.Process(os.getppid()).ppid(), signal.SIGTERM)
                signal.signal(signal.SIGTERM, lambda *_: None)
                signal.pause()
                return TERMINATED
        return REUSABLE


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Worker(tmp_path)
    descendants._set_subreaper(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def succeeded(worker: Worker) -> list[str]:
    return [token for token, *end in worker.tokens.ends if end == ["succeeded"]]


def test_the_next_share_of_the_job_finds_what_the_share_before_has_loaded(worker: Worker) -> None:
    first, second, third = worker.serve({}, {}, {})
    assert first["pid"] == second["pid"] == third["pid"]
    assert [seen["worked"] for seen in (first, second, third)] == [1, 2, 3]
    assert succeeded(worker) == ["0", "1", "2"]


def test_a_share_of_another_job_gets_a_fresh_process_and_the_one_before_has_ended(worker: Worker) -> None:
    first, second = worker.serve({}, {"JOB_NAME": "other"})
    assert first["outer"] != second["outer"]
    assert second["worked"] == 1
    assert not is_running(first["pid"])


def test_a_share_gets_a_fresh_process_after_one_that_may_not_stay(worker: Worker) -> None:
    first, second = worker.serve({"DO": "end"}, {})
    assert first["outer"] != second["outer"]
    assert second["worked"] == 1


def test_a_share_finds_its_own_variables_and_nothing_of_the_share_before(worker: Worker) -> None:
    first, second = worker.serve({"JOB_SHARE": "1", "ONLY_FIRST": "1"}, {"JOB_SHARE": "2"})
    fresh, own = first["variables"], second["variables"]
    assert first["pid"] == second["pid"]
    assert fresh["ONLY_FIRST"] == "1"
    assert fresh[HOLDER] == own[HOLDER] == str(first["outer"])
    expected = fresh | {
        "ORCHESTRATION_ID": "1",
        "JOB_SHARE": "2",
        "BACKGROUND_JOBS_LOG": str(worker.folder / "log-1"),
    }
    del expected["ONLY_FIRST"]
    assert own == expected


def test_each_share_has_its_own_log(worker: Worker) -> None:
    worker.serve({}, {})
    assert (worker.folder / "log-0").read_text() == "printed 0\n"
    assert (worker.folder / "log-1").read_text() == "printed 1\n"


@pytest.mark.parametrize("which", ["pid", "outer"])
def test_a_process_that_is_lost_between_two_shares_takes_nothing_with_it(worker: Worker, which: str) -> None:
    def kill() -> None:
        lost = worker.seen()[0][which]
        os.kill(lost, signal.SIGKILL)
        until(lambda: not is_running(lost))

    worker.between["1"] = kill
    first, second = worker.serve({}, {})
    assert first["pid"] != second["pid"]
    assert second["worked"] == 1
    assert succeeded(worker) == ["0", "1"]


def test_an_instance_that_ends_its_process_in_a_later_share_is_blamed_as_in_the_first(worker: Worker) -> None:
    first, second, again = worker.serve({}, {"DO": "kill"})
    assert first["pid"] == second["pid"] != again["pid"]
    assert (again["worked"], again["blamed"]) == (1, [7])
    assert succeeded(worker) == ["0", "1"]


def test_a_share_whose_outer_process_is_lost_is_handed_back_and_the_next_gets_a_fresh_one(
    worker: Worker,
) -> None:
    first, second, third = worker.serve({}, {"DO": "kill outer"}, {})
    assert first["pid"] == second["pid"] != third["pid"]
    assert succeeded(worker) == ["0", "2"]
    assert not is_running(second["pid"])


def test_a_worker_that_is_told_to_end_tells_the_process_that_stayed(worker: Worker) -> None:
    _, second = worker.serve({}, {"DO": "terminate"})
    ((_, *handed_back),) = [end for end in worker.tokens.ends if end[0] == "1"]
    assert str(TERMINATED) in handed_back[-1]
    assert not is_running(second["pid"])


def test_a_process_that_stayed_ends_in_order_with_its_worker(worker: Worker) -> None:
    """What is registered with atexit, such as the flush of a tracer, is called."""
    (seen,) = worker.serve({"DO": "at exit"})
    assert (worker.folder / "flushed").exists()
    assert not is_running(seen["pid"])
