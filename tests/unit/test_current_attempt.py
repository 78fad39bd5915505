"""What the two processes of a container tell each other."""

import os
import signal
import time

from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt


def test_the_current_attempt_says_what_runs_and_until_when() -> None:
    current_attempt = SharedCurrentAttempt()
    assert current_attempt.read() is None
    current_attempt.publish(CurrentAttempt(7, 2, 12.5))
    assert current_attempt.read() == CurrentAttempt(7, 2, 12.5)
    current_attempt.clear()
    assert current_attempt.read() is None


def test_what_is_read_while_it_is_being_written_is_never_half_of_it() -> None:
    """The outer process reads at any moment, and what it reads decides which instance is to blame."""
    # given another process that writes as fast as it can, the same number in all three fields
    current_attempt = SharedCurrentAttempt()
    writer = os.fork()
    if writer == 0:
        number = 0
        while True:
            number += 1
            current_attempt.publish(CurrentAttempt(number, number, float(number)))
            current_attempt.clear()
    read: list[CurrentAttempt] = []
    deadline = time.monotonic() + 30
    try:
        while len(read) < 50_000 and time.monotonic() < deadline:
            if running := current_attempt.read():
                read.append(running)
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
    assert len(read) == 50_000
    assert [attempt for attempt in read if not attempt.index == attempt.attempt == attempt.deadline] == []
