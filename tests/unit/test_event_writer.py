"""What the thread that appends events makes of them: which blocks, and what an error does to those who add."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from background_jobs.core.blocks import Block, InstanceRange, join_bodies, ranges_of_share
from background_jobs.core.events import JobEvent, JobProgressed
from background_jobs.core.ownership import RangeLost
from background_jobs.worker import event_writer
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.owned_ranges import EncodedEvent, OwnedRanges
from background_jobs.worker.working_time import seconds_since_boot
from tests.offline import until
from tests.unit.histories import ORCHESTRATION_ID, at, attempt_failed, job_completed, job_started


class Ranges(OwnedRanges):
    """Two ranges in memory; appending waits while they are held, and fails once they are lost."""

    def __init__(self) -> None:
        self._ranges = list(ranges_of_share("billing", ORCHESTRATION_ID, 200, 299))
        self.claimed = []
        self.blocks: list[Block] = []
        self.free = threading.Event()
        self.free.set()
        self.asked = threading.Event()
        self.lost = False

    def append(self, instances: InstanceRange, events: Sequence[EncodedEvent]) -> None:
        self.asked.set()
        assert self.free.wait(60)
        (body,) = join_bodies(event.content for event in events)
        block = Block(instances, len(self.blocks), 0, "launch 0", body)
        if self.lost:
            raise RangeLost(instances, block)
        self.blocks.append(block)

    def events(self) -> list[list[JobEvent]]:
        return [block.events() for block in self.blocks]


@pytest.fixture
def ranges() -> Ranges:
    return Ranges()


@pytest.fixture
def writer(ranges: Ranges, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventWriter]:
    monkeypatch.setattr(event_writer, "APPEND_SECONDS", 600)
    writer = EventWriter(ranges, seconds_since_boot())
    yield writer
    ranges.free.set()


def progressed(index: int) -> JobProgressed:
    return JobProgressed(orchestration_id=ORCHESTRATION_ID, at=at(1), index=index, attempt=1, percent=10)


def test_an_outcome_stands_for_the_start_and_progress_of_its_flush(
    writer: EventWriter, ranges: Ranges
) -> None:
    with writer:
        for event in (job_started(200), progressed(200), attempt_failed(200, 1), job_started(200, 2)):
            writer.add(event)
        writer.add(job_started(201))
        writer.add(job_completed(200, result=7))
    assert ranges.events() == [[attempt_failed(200, 1), job_started(201), job_completed(200, result=7)]]


def test_a_flush_appends_one_block_to_each_range(writer: EventWriter, ranges: Ranges) -> None:
    with writer:
        for index in (249, 250, 200, 299):
            writer.add(job_completed(index))
        writer.flush()
        assert [[event.index for event in events] for events in ranges.events()] == [[249, 200], [250, 299]]
        writer.add(job_completed(201))
    assert [[event.index for event in events] for events in ranges.events()][2:] == [[201]]


def test_what_is_being_appended_is_never_added_to(writer: EventWriter, ranges: Ranges) -> None:
    # given a block that is on its way
    with writer:
        ranges.free.clear()
        writer.add(job_started(200))
        flushing = threading.Thread(target=writer.flush)
        flushing.start()
        assert ranges.asked.wait(60)
        # when the outcome comes
        writer.add(job_completed(200))
        ranges.free.set()
        flushing.join()
    # then it stands in a block of its own
    assert ranges.events() == [[job_started(200)], [job_completed(200)]]


def test_progress_is_left_out_rather_than_waited_for(
    writer: EventWriter, ranges: Ranges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "UNWRITTEN_EVENTS", 2)
    with writer:
        ranges.free.clear()
        writer.add(job_completed(200))
        writer.add(job_completed(201))
        writer.add(progressed(202))
        ranges.free.set()
    assert [event.index for events in ranges.events() for event in events] == [200, 201]


def test_who_adds_to_a_lost_range_is_told_and_nothing_more_is_appended(ranges: Ranges) -> None:
    lost = threading.Event()
    writer = EventWriter(ranges, seconds_since_boot(), lost.set)
    ranges.lost = True
    writer.__enter__()
    writer.add(job_started(200))
    assert lost.wait(60)
    ranges.lost = False
    with pytest.raises(RangeLost):
        writer.add(job_completed(200))
    with pytest.raises(RangeLost):
        writer.__exit__(None, None, None)
    assert ranges.blocks == []


def test_the_share_was_owned_when_the_last_append_began(writer: EventWriter, ranges: Ranges) -> None:
    with writer:
        ranges.free.clear()
        ranges.asked.clear()
        writer.add(job_started(200))
        flushing = threading.Thread(target=writer.flush)
        flushing.start()
        assert ranges.asked.wait(60)
        asked = seconds_since_boot()
        until(lambda: seconds_since_boot() > asked + 0.1)
        ranges.free.set()
        flushing.join()
        # that the answer has come just now does not make it a new one
        now = seconds_since_boot()
        assert now - writer.seconds_since_owned() <= asked
