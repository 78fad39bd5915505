import struct

from background_jobs.worker.beacon import Beacon, Running


def test_what_runs_can_be_read_until_nothing_does() -> None:
    beacon = Beacon()
    assert beacon.read() is None
    beacon.running(Running(index=3, attempt=2, deadline=17.5))
    assert beacon.read() == Running(3, 2, 17.5)
    beacon.idle()
    assert beacon.read() is None


def test_who_reads_in_the_middle_of_a_write_sees_no_deadline_that_has_passed() -> None:
    # given an instance whose timeout was in the past by now, and the first half of the next one's record
    beacon = Beacon()
    beacon.running(Running(index=3, attempt=1, deadline=17.5))
    beacon.idle()
    struct.pack_into("=qq", beacon._memory, 0, 4, 1)

    seen = beacon.read()

    assert seen is not None
    assert seen.deadline == float("inf")
