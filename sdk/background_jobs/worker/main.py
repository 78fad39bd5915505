"""The whole main of a container: `run_e11_job([...])`."""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from background_jobs.aws.rooms import Rooms
from background_jobs.core import ids
from background_jobs.core.errors import UnknownJobName
from background_jobs.core.events import Event, JobError, JobStarted
from background_jobs.jobs import JobContext, Jobs
from background_jobs.settings import ContainerSettings, Settings, asked_to_describe
from background_jobs.worker.event_writer import EventWriter
from background_jobs.worker.history import History
from background_jobs.worker.instance import InstanceRunner, errored, job_error
from background_jobs.worker.log_location import log_location
from background_jobs.worker.share import Params, Share

_log = logging.getLogger(__name__)


def run_e11_job(jobs: Iterable[object]) -> None:
    """Work through the share that this container was launched for; the whole main of a container.

    *jobs* are the classes and functions decorated with `@job_name`. What a job raises becomes the outcome
    of its instance and never ends the container. Raises MissingSettings outside of a container.
    """
    registered = Jobs(jobs)
    if asked_to_describe():
        print(json.dumps({"job_names": registered.names}))  # noqa: T201 -- the answer to whoever asked
        return
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    Container(registered, ContainerSettings.from_env(), Rooms.of(Settings.from_env())).work()


class Container:
    """One container at work on its share."""

    def __init__(self, jobs: Jobs, settings: ContainerSettings, rooms: Rooms) -> None:
        self._jobs = jobs
        self._settings = settings
        self._rooms = rooms
        self._share = Share.of(settings)
        self._log = log_location(settings)
        self._tags = rooms.event_log.started(settings.orchestration_id).tags
        self._history = History.read(rooms.event_log, settings.orchestration_id, self._share)

    def work(self) -> None:
        """Run every instance of the share that has no outcome yet; at the return all have one in the log."""
        with EventWriter(self._rooms.event_log) as writer:
            for event in self._events():
                writer.add(event)
                if self._history.careful and isinstance(event, JobStarted):
                    writer.flush()

    def _events(self) -> Iterator[Event]:
        try:
            runner = InstanceRunner(
                self._jobs.named(self._settings.job_name), self._rooms.payloads, self._log
            )
        except UnknownJobName as unknown:
            _log.error("%s", unknown)
            error = job_error(unknown)
            yield from (
                errored(self._context(i, 0), params, error, self._log) for i, params in self._to_run()
            )
            return
        for index, params in self._to_run():
            begun = self._history.starts[index]
            if self._history.is_poison(index):
                yield errored(self._context(index, begun), params, _poison(begun), self._log)
                continue
            context = self._context(index, begun + 1)
            yield self._start(context)
            yield runner.run(params, context)

    def _to_run(self) -> Iterator[tuple[int, Params]]:
        return (
            (index, params)
            for index, params in self._share.params(self._rooms.payloads)
            if self._history.is_to_run(index)
        )

    def _start(self, context: JobContext) -> JobStarted:
        return JobStarted(
            orchestration_id=context.orchestration_id,
            at=datetime.now(UTC),
            index=context.index,
            attempt=context.attempt,
            launch=self._history.launch,
        )

    def _context(self, index: int, attempt: int) -> JobContext:
        orchestration_id = self._settings.orchestration_id
        return JobContext(
            self._settings.job_name,
            orchestration_id,
            ids.job_id(orchestration_id, index),
            index,
            attempt,
            self._tags,
        )


def _poison(begun: int) -> JobError:
    return JobError(
        type="ContainerLost",
        message=f"The container died {begun} times while this instance ran, so it was left out; "
        "the rest of its share went on. Out of memory, crashed native code and os._exit look like this.",
    )
