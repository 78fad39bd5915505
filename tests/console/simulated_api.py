"""The API over AWS in memory, with orchestrations whose events a test writes itself, at any time and speed."""

import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import uvicorn

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.event_bus import EventBus
from background_jobs.aws.stores import Stores
from background_jobs.control_plane.aggregate_jobs import Aggregator
from background_jobs.core.completion import decide_completion
from background_jobs.core.events import Event, OrchestrationCompleted, OrchestrationStarted
from background_jobs.core.ids import next_stage_id
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.header_timeout import HeaderTimeoutProtocol
from background_jobs.settings import ApiSettings
from tests.memory import SETTINGS, append_events, aws_in_memory


class SimulatedApi:
    """The API, and the log behind it, into which tests append the events of orchestrations."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stores = Stores.of(SETTINGS)
        self.service = OrchestrationService(SETTINGS)
        bus = EventBus(clients.events(), SETTINGS.event_bus)
        self._aggregator = Aggregator(
            self.stores.event_log, self.stores.read_model, bus, lambda: datetime.now(UTC)
        )

    def kick_off(self, job_name: str, params: Sequence[dict[str, Any]], at: datetime, **options: Any) -> str:
        """Kick off an orchestration as of *at*, and return its id."""
        orchestration = self.service.kick_off_job(job_name, params, **options)
        started = self.stores.event_log.read_started(orchestration.id)
        # The orchestration that was kicked off is never folded, so the list does not show it.
        new_id = str(uuid.uuid4())
        pipeline_id = new_id if started.pipeline_id else None
        self.append(
            started.model_copy(update={"orchestration_id": new_id, "at": at, "pipeline_id": pipeline_id})
        )
        return new_id

    def start_next(self, first: str, job_name: str, params: Sequence[dict[str, Any]], at: datetime) -> str:
        """Start the second and last stage of a pipeline as of *at*, and return its id."""
        orchestration = self.service.kick_off_job(job_name, params)
        lineage = {"parent_id": first, "pipeline_id": first, "stage": 2, "stages_left": 0}
        started = self.stores.event_log.read_started(orchestration.id).model_copy(
            update={"orchestration_id": next_stage_id(first), "at": at, **lineage}
        )
        self.append(started)
        return started.orchestration_id

    def show(self, job_name: str, at: datetime, **fields: Any) -> str:
        """Put an orchestration without instances into the history alone, which is quick; return its id."""
        event = OrchestrationStarted(
            orchestration_id=str(uuid.uuid4()), at=at, job_name=job_name, service=SETTINGS.service, total=0,
            parallelism=1, params_digest="0" * 64, **fields,
        )  # fmt: skip
        self._aggregator.aggregate(SETTINGS.service, event.orchestration_id, [event])
        return event.orchestration_id

    def append(self, *events: Event) -> None:
        """Append *events*, all of one orchestration, and fold them as the aggregator does."""
        append_events(self.stores, *events)
        self.fold(*events)

    def fold(self, *events: Event) -> None:
        """Fold *events*, all of one orchestration, without appending them to the log."""
        self._aggregator.aggregate(SETTINGS.service, events[0].orchestration_id, events)

    def complete(self, orchestration_id: str) -> None:
        """Append and fold the completion, once all instances have outcomes."""
        completion = decide_completion(self.stores.read_model.read_summary(orchestration_id))
        assert isinstance(completion, OrchestrationCompleted)
        self.append(completion)


@contextmanager
def simulated_api() -> Iterator[SimulatedApi]:
    """Serve the API from a thread of this process."""
    with aws_in_memory(), socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(SETTINGS, ApiSettings())
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=HeaderTimeoutProtocol,
                log_level="critical",
                lifespan="off",
                timeout_graceful_shutdown=1,
                date_header=False,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield SimulatedApi(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        finally:
            server.should_exit = True
            thread.join()
