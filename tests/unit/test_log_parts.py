"""Which part of its log is a launch's own."""

from datetime import datetime, timedelta

from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.events import ContainerEnded, ContainerStarted, ShareDelayed
from background_jobs.core.log_lines import LogLine
from background_jobs.core.views.log_parts import InstanceWindow, LogPart, find_log_parts
from tests.unit.histories import ORCHESTRATION_ID, at

LATER = timedelta(seconds=1)


def launched(share: int, launch: int, seconds: float, *, warm: bool, log: str = "log") -> ContainerStarted:
    return ContainerStarted(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        share=share,
        launch=launch,
        first=share,
        last=share,
        log=log,
        warm=warm,
    )


def ended(share: int, launch: int, seconds: float) -> ContainerEnded:
    return ContainerEnded(
        orchestration_id=ORCHESTRATION_ID, at=at(seconds), share=share, launch=launch, status=0
    )


def delayed(share: int, seconds: float, log: str) -> ShareDelayed:
    return ShareDelayed(
        orchestration_id=ORCHESTRATION_ID,
        at=at(seconds),
        share=share,
        number=0,
        reason=DelayReason.LOST,
        detail="exit code 1",
        log=log,
    )


def periods(parts: list[LogPart]) -> list[tuple[str, datetime | None, datetime | None]]:
    return [(part.location, part.since, part.until) for part in parts]


def test_a_container_that_was_launched_for_its_share_has_the_whole_log() -> None:
    started = [launched(0, 0, 1, warm=False)]
    assert periods(find_log_parts(started, started, [ended(0, 0, 2)])) == [("log", None, None)]


def test_a_share_of_a_warm_worker_has_what_was_written_between_its_start_and_its_end() -> None:
    started = [launched(0, 0, 1, warm=True), launched(1, 0, 5, warm=True)]
    parts = find_log_parts(started, started, [ended(0, 0, 4)])
    assert periods(parts) == [("log", at(1), at(4) + LATER), ("log", at(5), None)]


def test_a_share_that_was_lost_ends_when_the_next_launch_begins() -> None:
    started = [launched(0, 0, 1, warm=True), launched(0, 1, 9, warm=False, log="")]
    assert periods(find_log_parts(started, started, [])) == [("log", at(1), at(9) + LATER)]


def test_a_container_that_never_began_has_the_log_that_its_loss_names() -> None:
    """One that did begin is known by its start, and its log comes once, however many processes it had."""
    started = [launched(0, 0, 1, warm=False), launched(0, 1, 2, warm=False)]
    delays = [delayed(0, 3, "log"), delayed(1, 4, "dead"), delayed(2, 5, "")]
    parts = find_log_parts(started, started, [], delays)
    assert [(part.location, part.share) for part in parts] == [("log", 0), ("dead", 1)]


def test_processes_that_followed_each_other_in_a_worker_wrote_one_part() -> None:
    """A file is read as a whole, so its lines would come once for each of them."""
    started = [launched(0, 0, 1, warm=True), launched(0, 1, 2, warm=True), launched(0, 2, 3, warm=True)]
    started += [launched(0, 3, 9, warm=True, log="another")]
    expected = [("log", at(1), at(9) + LATER), ("another", at(9), None)]
    assert periods(find_log_parts(started, started, [ended(0, 0, 2), ended(0, 1, 3)])) == expected
    # and so they are where the instance ran in one of them alone
    assert periods(find_log_parts(started[1:2], started, [])) == expected[:1]


def test_what_a_program_prints_into_a_file_is_of_the_instance_that_wrote_the_line_before() -> None:
    # given two instances, one after the other, and a line that the second one printed as it began
    first = InstanceWindow(0, at(0), at(4.99))
    second = InstanceWindow(1, at(5) + timedelta(microseconds=400), at(9))
    printed, program = at(5), LogLine(at=None, message="of a program")
    # then what a program prints after it belongs to the second alone
    file = LogPart("/stack/0.log")
    assert [window.selects(program, printed, file) for window in (first, second)] == [False, True]
    # and in a stream to both, for it may have been on its way
    stream = LogPart("/group/default/job/0")
    assert [window.selects(program, printed, stream) for window in (first, second)] == [True, True]
