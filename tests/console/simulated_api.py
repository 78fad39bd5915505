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
from background_jobs.core.events import Event, OrchestrationCompleted
from background_jobs.progress_api.app import create_app
from background_jobs.settings import ApiSettings
from tests.memory import SETTINGS, append_events, aws_in_memory


class SimulatedApi:
    """The API, and the log behind it, into which tests append the events of orchestrations."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stores = Stores.of(SETTINGS)
        self._service = OrchestrationService(SETTINGS)
        bus = EventBus(clients.events(), SETTINGS.event_bus)
        self._aggregator = Aggregator(
            self.stores.event_log, self.stores.read_model, bus, lambda: datetime.now(UTC)
        )

    def kick_off(self, job_name: str, params: Sequence[dict[str, Any]], at: datetime, **options: Any) -> str:
        """Kick off an orchestration as of *at*, and return its id."""
        orchestration = self._service.kick_off_job(job_name, params, **options)
        started = self.stores.event_log.read_started(orchestration.id)
        # The orchestration that was kicked off is never folded, so the list does not show it.
        simulated = started.model_copy(update={"orchestration_id": str(uuid.uuid4()), "at": at})
        self.append(simulated)
        return simulated.orchestration_id

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
                app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1, date_header=False
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
