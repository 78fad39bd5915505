"""Reading an orchestration's story, and why it waits, from the log and the read model."""

from datetime import UTC, datetime

from background_jobs.aws.rooms import Rooms
from background_jobs.core.events import OrchestrationStarted
from background_jobs.core.live import instances_in
from background_jobs.core.statuses import State
from background_jobs.core.story import Story, story_of
from background_jobs.core.waiting import Containers, Wait, waits_of


def read_story(orchestration_id: str, rooms: Rooms) -> Story:
    """Return what happened so far, in three kinds of reads: the whole, the failed attempts, the statuses.

    Raises OrchestrationNotFound.
    """
    started = rooms.event_log.started(orchestration_id)
    events = rooms.event_log.of_the_whole(orchestration_id)
    return story_of(
        events,
        failed_attempts=rooms.event_log.count_failed_attempts(orchestration_id, started.total),
        waits=_waits(started, Containers.among(events), rooms),
        now=datetime.now(UTC),
    )


def read_waits(orchestration_id: str, rooms: Rooms) -> list[Wait]:
    """Return why instances wait; nothing where none does. Raises OrchestrationNotFound."""
    started = rooms.event_log.started(orchestration_id)
    return _waits(started, rooms.event_log.containers(orchestration_id), rooms)


def _waits(started: OrchestrationStarted, containers: Containers, rooms: Rooms) -> list[Wait]:
    model = rooms.read_model.snapshot(started.orchestration_id)
    if model.summary.total is None:
        return waits_of(started, containers, range(started.total))
    return waits_of(started, containers, instances_in(model, {State.WAITING}))
