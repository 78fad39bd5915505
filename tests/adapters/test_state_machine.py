"""Random lives of one orchestration: the log, its owners and the aggregator keep their invariants."""

import contextlib
import uuid
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.control_plane.rebuild import differences
from background_jobs.core.blocks import InstanceRange, cut_bodies
from background_jobs.core.errors import EventConflict
from background_jobs.core.events import (
    Event,
    JobErrored,
    JobEvent,
    OrchestrationCompleted,
    OrchestrationEvent,
)
from background_jobs.core.fold import ChunkNumbers, fold
from background_jobs.core.ownership import Ownership, RangeLost, begin, close, take_over
from background_jobs.core.read_model import ReadModel, Summary
from background_jobs.core.statuses import Status, StatusChunk, status_of
from background_jobs.settings import Settings
from tests.memory import SETTINGS, append_events
from tests.unit import histories
from tests.unit.histories import at

INSTANCES = st.integers(0, 5)
QUICK = hypothesis_settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Life(RuleBasedStateMachine):
    """One orchestration whose events are appended at random, and delivered in any order and repeatedly."""

    def __init__(self, stores: Stores, bus: EventBus) -> None:
        super().__init__()
        self.id = str(uuid.uuid4())
        self.stores = stores
        self.aggregator = Aggregator(stores.event_log, stores.read_model, bus, clock=lambda: at(0))
        self.total = 0
        self.seconds = 0
        self.owners: list[Ownership] = []
        """Who has owned the instances; the last one does."""
        self.attempts: dict[int, int] = {}
        self.running: set[int] = set()
        self.outcomes: dict[int, Status] = {}
        self.seen: dict[int, Status] = {}
        self.version = 0

    def _append(self, event: JobEvent, owner: Ownership | None = None) -> None:
        """Append a block of one event as an owner does, by default as the one who may."""
        (body,) = cut_bodies([event.model_copy(update={"orchestration_id": self.id})])
        self.stores.block_log.run((owner or self.owners[-1]).append(body))

    def _append_whole(self, event: OrchestrationEvent) -> None:
        append_events(self.stores, event.model_copy(update={"orchestration_id": self.id}))

    def _now(self) -> int:
        self.seconds += 1
        return self.seconds

    def _log(self) -> list[Event]:
        return list(self.stores.event_log.read_all(self.id, self.total))

    @initialize(total=st.integers(1, 6))
    def kick_off(self, total: int) -> None:
        self.total = total
        self._append_whole(histories.started(total).model_copy(update={"parallelism": 1}))
        self.range = InstanceRange(SETTINGS.service, self.id, 0, total - 1)
        self.owners = [begin(self.range, "launch 0")]

    @rule(index=INSTANCES)
    def start(self, index: int) -> None:
        if index < self.total and index not in self.outcomes and index not in self.running:
            self.attempts[index] = self.attempts.get(index, 0) + 1
            self.running.add(index)
            self._append(histories.job_started(index, self.attempts[index], seconds=self._now()))

    @rule(index=INSTANCES)
    def fail(self, index: int) -> None:
        if index in self.running:
            self.running.remove(index)
            self._append(histories.attempt_failed(index, self.attempts[index], seconds=self._now()))

    @rule(index=INSTANCES, status=st.sampled_from([Status.COMPLETED, Status.ERRORED]))
    def end(self, index: int, status: Status) -> None:
        if index < self.total and index not in self.outcomes:
            self._append(self._outcome(index, status))
            self.outcomes[index] = status
            self.running.discard(index)

    @precondition(lambda self: len(self.owners) > 1)
    @rule(index=INSTANCES, status=st.sampled_from([Status.COMPLETED, Status.ERRORED]), data=st.data())
    def end_by_one_who_was_thought_dead(self, index: int, status: Status, data: st.DataObject) -> None:
        owner = data.draw(st.sampled_from(self.owners[:-1]))
        # Who takes over what is finished appends no fence: nobody has anything left to append.
        if index < self.total and len(self.outcomes) < self.total:
            with pytest.raises(RangeLost):
                self._append(self._outcome(index, status), owner)

    def _outcome(self, index: int, status: Status) -> JobEvent:
        make = histories.job_completed if status is Status.COMPLETED else histories.job_errored
        return make(index, seconds=self._now())

    @rule()
    def lose_the_container(self) -> None:
        launch = len(self.owners)
        owner, _ = self.stores.block_log.run(take_over(self.range, f"launch {launch}"))
        self.owners.append(owner)
        self.running.clear()
        self._append_whole(histories.container_started(launch=launch))

    @precondition(lambda self: self.total)
    @rule()
    def close_what_is_left(self) -> None:
        def outcomes(left: Sequence[int], _: object) -> Iterator[bytes]:
            self.outcomes |= dict.fromkeys(left, Status.ERRORED)
            events = [histories.job_errored(index, seconds=self._now()) for index in left]
            return cut_bodies(event.model_copy(update={"orchestration_id": self.id}) for event in events)

        self.stores.block_log.run(close(self.range, f"closer {self._now()}", outcomes))
        self.lose_the_container()

    @rule()
    def cancel(self) -> None:
        event = histories.cancelled(seconds=self._now()).model_copy(update={"orchestration_id": self.id})
        with contextlib.suppress(EventConflict):  # it was cancelled before, which is harmless
            self.stores.event_log.append(event)

    @precondition(lambda self: self.total)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Deliver some of the log, in any order, some of it twice."""
        batch = data.draw(st.lists(st.sampled_from(self._log()), min_size=1, max_size=12))
        self.aggregator.aggregate(SETTINGS.service, self.id, batch)

    @precondition(lambda self: self.total)
    @invariant()
    def what_is_final_stays_final(self) -> None:
        chunk = self.stores.read_model.read_chunks(self.id, ChunkNumbers(frozenset({0}), frozenset())).chunks[
            0
        ]
        for index in range(self.total):
            status = status_of(chunk.rank(index))
            if index in self.seen:
                assert status is self.seen[index]
            elif status is not Status.IN_PROGRESS:
                assert status is self.outcomes[index], "the first outcome counts"
                self.seen[index] = status

    @precondition(lambda self: self.total)
    @invariant()
    def versions_have_no_gaps(self) -> None:
        version = self.stores.read_model.read_summary(self.id).version
        feed = [item.version for item in self.stores.read_model.read_feed(self.id, after=self.version)]
        assert feed == list(range(self.version + 1, version + 1))
        self.version = version

    @precondition(lambda self: self.total)
    @invariant()
    def nothing_completes_early(self) -> None:
        if any(isinstance(event, OrchestrationCompleted) for event in self._log()):
            assert self.outcomes.keys() == set(range(self.total))

    def teardown(self) -> None:
        if not self.total:
            return
        for _ in ("everything", "the completion that follows"):
            self.aggregator.aggregate(SETTINGS.service, self.id, self._log())
        assert differences(self.id, self.stores) == []
        summary = self.stores.read_model.read_summary(self.id)
        assert summary.done == (len(self.outcomes) == self.total)
        log = self._log()
        assert sum(isinstance(event, OrchestrationCompleted) for event in log) == summary.done
        for half in range(0, len(log), 3):
            assert self._replayed(log[half:], log[:half]) == self._replayed(log)
        assert len([e for e in log if isinstance(e, JobErrored)]) == summary.errored

    def _replayed(self, *parts: list[Event]) -> ReadModel:
        model = ReadModel(Summary(orchestration_id=self.id, service=SETTINGS.service), {0: StatusChunk()})
        for part in parts:
            model = fold(model, part).model
        return model


def test_any_life_of_an_orchestration_keeps_the_promises(stores: Stores, settings: Settings) -> None:
    bus = EventBus(clients.events(), settings.event_bus)

    class ThisLife(Life):
        def __init__(self) -> None:
            super().__init__(stores, bus)

    run_state_machine_as_test(ThisLife, settings=QUICK)
