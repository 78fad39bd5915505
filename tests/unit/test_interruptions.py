"""What interrupts an attempt in a thread reaches it once, and nothing else."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from background_jobs.worker.interruptions import ThreadInterruption, TimedOut
from tests.offline import until


def in_thread(call: Callable[[], object]) -> Callable[[], bool]:
    """Run *call* in a thread that holds up nobody; return what tells whether it has ended."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return lambda: not thread.is_alive()


def run_until_interrupted(interruption: ThreadInterruption, seen: list[str]) -> None:
    with interruption:
        try:
            seen.append("begun")
            while True:
                pass
        except TimedOut:
            seen.append("late")


def test_an_attempt_that_was_interrupted_leaves_nothing_for_code_that_is_traced() -> None:
    # given an attempt in a thread that was told twice that its time is over, and has caught it
    interruption, seen = ThreadInterruption(), list[str]()
    has_ended = in_thread(lambda: run_until_interrupted(interruption, seen))
    until(lambda: seen)
    interruption.send()
    interruption.send()
    until(has_ended)
    interruption.send()
    assert seen == ["begun", "late"]

    # when another thread profiles what it calls, as a debugger or a tool for coverage does
    def profile() -> None:
        sys.setprofile(lambda *_: None)
        in_thread(bool)()

    # then it gets through
    until(in_thread(profile))


def test_an_interruption_at_the_end_of_an_attempt_does_not_reach_what_comes_after_it() -> None:
    passed = list[int]()

    def attempts() -> None:
        for number in range(200):
            entered, left = ThreadInterruption(), threading.Event()
            sender = threading.Thread(target=send_until, args=(entered, left))
            sender.start()
            with suppress(TimedOut), entered:
                pass
            left.set()
            sender.join()
            passed.append(number)

    def send_until(entered: ThreadInterruption, left: threading.Event) -> None:
        while not left.is_set():
            entered.send()

    until(in_thread(attempts))
    assert passed == list(range(200))
