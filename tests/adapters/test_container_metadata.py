"""What a container on ECS reads of itself, over HTTP; the answers are as in ECS's developer guide."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from background_jobs.core.events import ContainerStarted, OrchestrationEvent
from background_jobs.settings import ContainerSettings
from background_jobs.worker.container_metadata import ContainerMetadata, read_metadata
from background_jobs.worker.launch import Launch
from background_jobs.worker.share import AssignedShare

SHARE = {
    "JOB_NAME": "halve",
    "ORCHESTRATION_ID": "o",
    "JOB_ID": "j",
    "JOB_SHARE": "0",
    "JOB_INDICES": "0-1",
    "JOB_PARAMS_KEY": "k",
    "JOB_PARAMS_BYTES": "0-9",
}
ON_ECS: dict[str, Any] = {
    "Labels": {
        "com.amazonaws.ecs.cluster": "default",
        "com.amazonaws.ecs.task-definition-family": "background-jobs-prod-billing",
        "com.amazonaws.ecs.task-definition-version": "24",
    },
    "LogDriver": "awslogs",
    "LogOptions": {"awslogs-group": "/ecs/billing", "awslogs-stream": "billing/job/8f03e413"},
}
BROKEN_OFF = '{"Labels"'
Read = Callable[[str], ContainerMetadata]


@pytest.fixture
def read() -> Iterator[Read]:
    """Read the metadata where ECS's endpoint answers with a text."""
    answers: list[str] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if answers[-1] == BROKEN_OFF:
                self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(answers[-1].encode())

    with HTTPServer(("127.0.0.1", 0), Endpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()

        def read(answer: str) -> ContainerMetadata:
            answers.append(answer)
            address = f"http://127.0.0.1:{server.server_port}"
            variables = SHARE | {"ECS_CONTAINER_METADATA_URI_V4": address}
            return read_metadata(ContainerSettings.from_env(variables))

        yield read
        server.shutdown()


def test_a_container_knows_its_log_and_its_revision(read: Read) -> None:
    assert read(json.dumps(ON_ECS)) == (
        "/ecs/billing/billing/job/8f03e413",
        "background-jobs-prod-billing:24",
    )


@pytest.mark.parametrize("answer", ["not JSON", "{}", BROKEN_OFF])
def test_a_container_works_without_knowing_them(read: Read, answer: str) -> None:
    assert read(answer) == ("", "")


def test_a_container_takes_the_log_that_its_launcher_names() -> None:
    settings = ContainerSettings.from_env(SHARE | {"BACKGROUND_JOBS_LOG": "/tmp/job.log"})
    assert read_metadata(settings) == ("/tmp/job.log", "")


def test_the_log_says_on_what_a_container_runs_and_which_revision() -> None:
    variables = SHARE | {"BACKGROUND_JOBS_CAPACITY_PROVIDER": "gpu-asg"}
    settings = ContainerSettings.from_env(variables)
    events: list[OrchestrationEvent] = []
    metadata = ContainerMetadata("/ecs/billing/stream", "background-jobs-prod-billing:24")
    Launch.begin(events.append, settings, AssignedShare.from_settings(settings), metadata)
    (started,) = events
    assert isinstance(started, ContainerStarted)
    assert (started.log, started.capacity_provider, started.task_definition) == (
        "/ecs/billing/stream",
        "gpu-asg",
        "background-jobs-prod-billing:24",
    )
