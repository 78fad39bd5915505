"""What a warm worker does with the shares that it is offered, and says of them."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from background_jobs.aws.offer_queue import ReceivedOffer
from background_jobs.core.containers.warm import ANOTHER_REVISION, SHARE_NOT_DONE, Offer
from background_jobs.worker import descendants, warm_worker
from background_jobs.worker.loaded_files import are_current, stamp
from background_jobs.worker.share_process import ShareProcess
from background_jobs.worker.supervisor import SHARE_LOST, TERMINATED
from background_jobs.worker.warm_worker import Start, WarmWorker
from tests.offline import is_running, until

REVISION = "background-jobs-test-default:7"
Work = Callable[[Mapping[str, str]], int]


class Queue:
    """A queue whose last message is followed by the end of the worker."""

    def __init__(self, *offers: Offer | None) -> None:
        self.messages = [ReceivedOffer(f"receipt-{n}", offer) for n, offer in enumerate(offers)]
        self.deleted: list[str] = []
        self.hidden: list[str] = []
        self.faults: list[Exception] = []

    def receive(self) -> ReceivedOffer | None:
        if self.faults:
            raise self.faults.pop()
        if not self.messages:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)  # the signal ends the wait
        return self.messages.pop(0)

    def hide(self, receipt: str) -> None:
        self.hidden.append(receipt)

    def delete(self, receipt: str) -> None:
        self.deleted.append(receipt)


class Tokens:
    """Tasks of Step Functions, of which those in *over* wait for nobody."""

    def __init__(self, *over: str) -> None:
        self.over = set(over)
        self.beats: list[str] = []
        self.ends: list[tuple[str, ...]] = []

    def beat(self, token: str) -> bool:
        self.beats.append(token)
        return token not in self.over

    def succeed(self, token: str) -> bool:
        self.ends.append((token, "succeeded"))
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        self.ends.append((token, error, cause))
        return True


class Protection:
    def __init__(self) -> None:
        self.states: list[bool] = []

    def begin(self) -> None:
        self.states.append(True)

    def end(self) -> None:
        self.states.append(False)


def offer(token: str, revision: str = REVISION, **variables: str) -> Offer:
    return Offer(token=token, task_definition=revision, variables={"ORCHESTRATION_ID": "o", **variables})


def forking(work: Work) -> Start:
    def start(variables: Mapping[str, str], _kept: ShareProcess | None) -> ShareProcess:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        if pid := os.fork():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            return ShareProcess(pid)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        try:
            os._exit(work(variables))
        finally:
            os._exit(70)

    return start


@pytest.fixture(autouse=True)
def _own_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(warm_worker, "_BEAT_SECONDS", 0.05)
    monkeypatch.setattr(warm_worker, "_LOOK_SECONDS", 0.01)
    yield
    descendants._set_subreaper(0)
    for number, handler in before.items():
        signal.signal(number, handler)


def serve(queue: Queue, tokens: Tokens, work: Work, protection: Protection | None = None) -> int:
    """Serve until the queue has no more messages, and return the exit status of the worker."""
    parts: tuple[Any, Any, Any] = (queue, tokens, protection or Protection())
    return WarmWorker(REVISION, *parts, forking(work)).serve()


def wait_for_ever(_variables: Mapping[str, str]) -> int:
    time.sleep(600)
    return 0


def test_shares_are_worked_on_one_after_the_other_and_each_end_is_told(tmp_path: Path) -> None:
    queue, tokens = Queue(offer("a", JOB_SHARE="3"), offer("b", JOB_SHARE="4")), Tokens()

    def work(variables: Mapping[str, str]) -> int:
        with (tmp_path / "shares").open("a") as file:
            file.write(variables["JOB_SHARE"])
        return 0

    assert serve(queue, tokens, work) == TERMINATED
    assert (tmp_path / "shares").read_text() == "34"
    assert tokens.ends == [("a", "succeeded"), ("b", "succeeded")]
    assert queue.deleted == ["receipt-0", "receipt-1"], "a message that stays would come again"


def test_a_share_that_waits_for_nobody_is_not_begun(tmp_path: Path) -> None:
    """It was launched as a task meanwhile, another worker had it, or its execution is over."""
    queue, tokens = Queue(offer("late")), Tokens("late")
    serve(queue, tokens, lambda _: (tmp_path / "begun").write_text("") or 0)
    assert not (tmp_path / "begun").exists()
    assert (tokens.ends, queue.deleted) == ([], ["receipt-0"])


def test_a_share_of_another_revision_is_refused_at_once(tmp_path: Path) -> None:
    queue, tokens = Queue(offer("old", "background-jobs-test-default:6")), Tokens()
    serve(queue, tokens, lambda _: (tmp_path / "begun").write_text("") or 0)
    assert not (tmp_path / "begun").exists()
    assert tokens.ends == [("old", ANOTHER_REVISION, f"The worker runs {REVISION}.")]
    assert queue.deleted == ["receipt-0"]


def test_a_worker_ends_once_a_file_that_it_has_loaded_was_edited(tmp_path: Path) -> None:
    """Its share would run what the file was; offline that is the jobs file which somebody works on."""
    # given a worker, and two offers
    module = tmp_path / "jobs.py"
    module.write_text("VERSION = 1")
    stamps = {str(module): stamp(str(module))}
    queue, tokens = Queue(offer("a"), offer("b")), Tokens()

    # when the file is edited while the first share runs
    def edit(_variables: Mapping[str, str]) -> int:
        module.write_text("VERSION = 22")
        return 0

    worker: Any = (REVISION, queue, tokens, Protection(), forking(edit), partial(are_current, stamps))
    assert WarmWorker(*worker).serve() == TERMINATED

    # then the second one is launched at once, as that of another image is
    assert [end[:2] for end in tokens.ends] == [("a", "succeeded"), ("b", ANOTHER_REVISION)]


def test_a_container_that_ends_before_its_share_is_done_is_reported_with_its_end() -> None:
    queue, tokens = Queue(offer("a"), offer("b", KILL="yes"), offer("c", DONE="yes")), Tokens()

    def work(variables: Mapping[str, str]) -> int:
        if "KILL" in variables:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0 if "DONE" in variables else 70

    serve(queue, tokens, work)
    first, second, third = tokens.ends
    assert first == ("a", SHARE_NOT_DONE, "The container ended with exit code 70.")
    assert second[:2] == ("b", SHARE_NOT_DONE)
    assert "signal 9" in second[2]
    assert third == ("c", "succeeded"), "the worker goes on"


def test_of_a_share_that_belongs_to_a_later_launch_nothing_is_said() -> None:
    queue, tokens = Queue(offer("a")), Tokens()
    serve(queue, tokens, lambda _: SHARE_LOST)
    assert (tokens.ends, queue.deleted) == ([], ["receipt-0"])


def test_a_share_is_heard_of_while_its_job_holds_the_interpreter_and_its_message_stays_hidden(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(warm_worker, "_HIDE_AGAIN_SECONDS", 0.01)
    queue, tokens, protection = Queue(offer("a")), Tokens(), Protection()

    def stop_itself(_variables: Mapping[str, str]) -> int:
        (tmp_path / "pid").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)
        return 0

    def go_on_after_some_beats() -> None:
        pid = until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        until(lambda: len(tokens.beats) >= 4 and queue.hidden and protection.states)
        os.kill(int(pid), signal.SIGCONT)

    beats = threading.Thread(target=go_on_after_some_beats)
    beats.start()
    serve(queue, tokens, stop_itself, protection)
    beats.join()
    assert tokens.ends == [("a", "succeeded")]
    assert set(queue.hidden) == {"receipt-0"}
    assert protection.states[0] is True, "a deployment must not stop it"
    assert protection.states[-1] is False, "it may be stopped now"


def test_a_share_that_nobody_waits_for_any_more_ends_as_by_sigterm(tmp_path: Path) -> None:
    """Its orchestration was cancelled, or it was given to a task while the worker was cut off."""
    queue, tokens = Queue(offer("a", LONG="yes"), offer("b")), Tokens()

    def work(variables: Mapping[str, str]) -> int:
        (tmp_path / "begun").touch()
        return wait_for_ever(variables) if "LONG" in variables else 0

    def cancel() -> None:
        until((tmp_path / "begun").exists)
        tokens.over.add("a")

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    serve(queue, tokens, work)
    cancelling.join()
    assert tokens.ends == [("b", "succeeded")], "nobody hears of the first; the worker goes on"


def test_a_process_that_takes_no_notice_of_its_end_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(warm_worker, "_END_SECONDS", 0.1)
    queue, tokens = Queue(offer("a")), Tokens()

    def ignore(_variables: Mapping[str, str]) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (tmp_path / "ignores").touch()
        return wait_for_ever({})

    def cancel() -> None:
        until((tmp_path / "ignores").exists)
        tokens.over.add("a")

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    assert serve(queue, tokens, ignore) == TERMINATED
    cancelling.join()


def test_a_worker_that_is_told_to_end_hands_its_share_back_and_takes_no_other(tmp_path: Path) -> None:
    queue, tokens = Queue(offer("a"), offer("b")), Tokens()

    def work(_variables: Mapping[str, str]) -> int:
        (tmp_path / "begun").touch()
        return wait_for_ever({})

    def tell() -> None:
        until((tmp_path / "begun").exists)
        os.kill(os.getpid(), signal.SIGTERM)

    telling = threading.Thread(target=tell)
    telling.start()
    assert serve(queue, tokens, work) == TERMINATED
    telling.join()
    assert tokens.ends == [("a", SHARE_NOT_DONE, f"The container ended with exit code {TERMINATED}.")]
    assert [message.receipt for message in queue.messages] == ["receipt-1"], "it is for another worker"


def test_a_message_that_is_no_share_and_a_queue_that_cannot_be_read_stop_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm_worker, "_PAUSE_SECONDS", 0.01)
    queue, tokens = Queue(None, offer("a")), Tokens()
    queue.faults = [OSError("no route"), OSError("no route")]
    serve(queue, tokens, lambda _: 0)
    assert tokens.ends == [("a", "succeeded")]
    assert queue.deleted == ["receipt-0", "receipt-1"]


def test_what_a_share_leaves_behind_ends_before_the_next_begins(tmp_path: Path) -> None:
    queue, tokens = Queue(offer("a"), offer("b")), Tokens()

    def leave_a_process(_variables: Mapping[str, str]) -> int:
        left = tmp_path / "left"
        if left.exists():
            (tmp_path / "is_gone").write_text(str(not is_running(int(left.read_text()))))
            return 0
        if pid := os.fork():
            left.write_text(str(pid))
            return 0
        os.setsid()
        return wait_for_ever({})

    serve(queue, tokens, leave_a_process)
    assert (tmp_path / "is_gone").read_text() == "True"
