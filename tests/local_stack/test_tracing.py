"""Traces from a kick-off through containers to the jobs' own spans, as a collector receives them."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider

from background_jobs import OrchestrationService
from background_jobs.local_stack import LocalStack
from background_jobs.tracing import NO_TRACING, exporting, spans, tracing_of_caller
from tests.offline import become_caller, containers, until, warm_workers
from tests.receiver import Receiver, receiving

JOBS = Path(__file__).with_name("traced_jobs.py")


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack(collector: Receiver) -> Iterator[LocalStack]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with LocalStack(jobs=str(JOBS), containers=2) as stack:
            yield stack


@pytest.fixture
def service(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrchestrationService]:
    yield become_caller(stack, monkeypatch)
    end_tracing()


def end_tracing() -> None:
    """End what sends the spans of this process, for it would go on to where another test says."""
    provider = spans._provider_of_callers()
    assert isinstance(provider, TracerProvider)
    provider.shutdown()
    spans._provider_of_callers.cache_clear()


def received(collector: Receiver) -> list[Span]:
    found = []
    for post in collector.posts:
        request = ExportTraceServiceRequest.FromString(post.body)
        for resource in request.resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def attributes(span: Any) -> dict[str, Any]:
    values = {one.key: one.value for one in span.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


@pytest.fixture
def kept_stack(collector: Receiver) -> Iterator[LocalStack]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        # so that batches are sent by nothing but the end of a share
        variables.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
        with LocalStack(jobs=str(JOBS), containers=1, warm=1) as stack:
            yield stack
    end_tracing()


@pytest.fixture
def spans_of(collector: Receiver) -> Callable[[str], list[Span]]:
    """Return the spans of an orchestration's trace, once the span of its kick-off is there."""

    def spans_of(orchestration_id: str) -> list[Span]:
        def find() -> list[Span]:
            found = received(collector)
            traces = {
                span.trace_id
                for span in found
                if attributes(span).get("background_jobs.orchestration_id") == orchestration_id
            }
            return [span for span in found if span.trace_id in traces]

        provider: Any = spans._provider_of_callers()
        provider.force_flush()
        until(lambda: any(span.name.startswith("container ") for span in find()))
        return find()

    return spans_of


def named(found: list[Span], name: str) -> list[Span]:
    return [span for span in found if span.name == name]


@pytest.mark.parametrize("job_name", ["one-by-one", "threads", "coroutines", "processes"])
def test_a_trace_leads_from_the_kick_off_through_the_container_to_spans_of_the_job(
    job_name: str, service: OrchestrationService, spans_of: Callable[[str], list[Span]]
) -> None:
    orchestration = service.kick_off_job(job_name, [{"n": n} for n in range(3)], parallelism=1)
    successes, failures = orchestration.results(120)

    found = spans_of(orchestration.id)

    assert failures is None
    (sent,) = named(found, f"send {job_name}")
    (container,) = named(found, f"container {job_name}")
    processed = named(found, f"process {job_name}")
    assert (sent.kind, sent.parent_span_id) == (Span.SPAN_KIND_PRODUCER, b"")
    assert container.parent_span_id == sent.span_id
    assert {span.parent_span_id for span in processed} == {container.span_id}
    assert {span.kind for span in processed} == {Span.SPAN_KIND_CONSUMER}
    by_index = {attributes(span)["background_jobs.index"]: span for span in processed}
    assert sorted(by_index) == [0, 1, 2]
    for query in named(found, "query"):
        parents = {span.span_id: span for span in found}
        parent = parents[query.parent_span_id]
        if parent.name == "outer":
            parent = parents[parent.parent_span_id]
        assert parent == by_index[attributes(query)["n"]]
    assert len(named(found, "query")) == 3
    # Its flags may say more than that it is recorded.
    traceparent = f"00-{container.trace_id.hex()}-{container.span_id.hex()}"
    assert {success.result.rpartition("-")[0] for success in successes} == {traceparent}
    described = attributes(by_index[0])
    assert described["messaging.operation.type"] == "process"
    assert described["messaging.destination.name"] == job_name
    assert described["messaging.message.id"] == successes[0].job_id


def test_every_attempt_is_a_span_with_its_error_and_the_retry_that_follows(
    service: OrchestrationService, spans_of: Callable[[str], list[Span]]
) -> None:
    params = [{"n": 0, "fail_until": 1}, {"n": 1, "fail_until": 2}]
    orchestration = service.kick_off_job("one-by-one", params, parallelism=1)
    orchestration.wait(120)

    processed = named(spans_of(orchestration.id), "process one-by-one")

    told = {
        (described["background_jobs.index"], described["background_jobs.attempt"]): span
        for span in processed
        for described in [attributes(span)]
    }
    assert sorted(told) == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert [event.name for event in told[0, 1].events] == ["exception", "retry"]
    assert told[0, 1].status.code == 2
    assert told[0, 1].status.message == "LookupError: not there yet"
    assert attributes(told[0, 1])["error.type"] == "LookupError"
    assert (told[0, 2].status.code, list(told[0, 2].events)) == (0, [])
    assert [event.name for event in told[1, 2].events] == ["exception"]
    assert "not there yet" in attributes(told[1, 2].events[0])["exception.stacktrace"]


def test_what_was_traced_is_sent_when_a_container_is_told_to_end(
    stack: LocalStack, service: OrchestrationService, collector: Receiver, tmp_path: Path
) -> None:
    params = [{"n": n, "started": str(tmp_path / "started")} for n in range(2)]
    orchestration = service.kick_off_job("lasting", params, parallelism=1)
    until((tmp_path / "started").exists)

    (container,) = containers(stack.stack_id, orchestration.id)
    container.send_signal(signal.SIGTERM)

    until(lambda: len(named(received(collector), "process lasting")) == 1)
    orchestration.cancel()


def test_a_kept_process_sends_what_it_traced_at_the_end_of_each_share(
    kept_stack: LocalStack, monkeypatch: pytest.MonkeyPatch, spans_of: Callable[[str], list[Span]]
) -> None:
    """It goes on after its share, so nothing that is called at the end of a process would send it."""
    service = become_caller(kept_stack, monkeypatch)
    until(lambda: warm_workers(kept_stack.stack_id))
    pids = set()
    for n in range(2):
        orchestration = service.kick_off_job("kept", [{"n": n}])
        successes, _ = orchestration.results(120)
        pids.add(successes[0].result)
        assert len(named(spans_of(orchestration.id), "query")) == 1
    assert len(pids) == 1


def test_a_span_of_the_caller_is_the_parent_of_the_kick_off() -> None:
    """In a process of its own, for a provider can be set once."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from background_jobs.core.events import OrchestrationStarted
from background_jobs.tracing import tracing_of_caller
trace.set_tracer_provider(TracerProvider())
with trace.get_tracer("caller").start_as_current_span("request") as request:
    with tracing_of_caller().kick_off("report", None) as traced:
        started = traced(OrchestrationStarted.model_construct(orchestration_id="1", total=1))
    print(f"{request.get_span_context().trace_id:032x}" == started.traceparent.split("-")[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


def test_without_a_collector_nothing_is_traced_nor_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from background_jobs.tracing import tracing_of_caller, tracing_of_container as of; "
        "print(type(tracing_of_caller()).__name__, type(of('billing')).__name__, "
        "any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    others = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    for variables in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}):
        done = subprocess.run(
            [sys.executable, "-c", code], env=others | variables, capture_output=True, text=True, check=True
        )
        assert done.stdout == "NoTracing NoTracing False\n"


def test_a_collector_that_cannot_be_reached_keeps_no_instance_from_its_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given an address at which nobody listens
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    with LocalStack(jobs=str(JOBS), containers=1) as stack:
        service = become_caller(stack, monkeypatch)
        for job_name in ("one-by-one", "processes"):
            successes, failures = service.kick_off_job(job_name, [{"n": n} for n in range(4)]).results(120)
            assert (len(successes), failures) == (4, None)
    end_tracing()


def test_whoever_does_not_answer_is_told_from_whoever_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "FLUSH_SECONDS", 0.05)
    over = Event()

    class Provider:
        def __init__(self, force_flush: Callable[[], object]) -> None:
            self.force_flush = force_flush

    assert exporting.flush(object())
    assert not exporting.flush(Provider(over.wait))
    over.set()
    monkeypatch.setattr(exporting, "FLUSH_SECONDS", 60)
    assert exporting.flush(Provider(over.wait))


def test_a_collector_without_the_libraries_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "background_jobs.tracing.spans", None)

    assert tracing_of_caller() is NO_TRACING
