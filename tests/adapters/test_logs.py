"""What containers wrote, in files and in CloudWatch Logs: by instance, by time, page by page."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from background_jobs import Orchestration, OrchestrationService
from background_jobs.aws import clients
from background_jobs.aws.stores import Stores
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.errors import InvalidToken, LogNotFound
from background_jobs.core.events import ContainerStarted, JobStarted, ShareDelayed
from background_jobs.orchestration_service import log_sources
from background_jobs.orchestration_service.log_positions import encode_positions
from tests.memory import append_events
from tests.unit.histories import job_completed

GROUP = "/team/background-jobs"
NOW = datetime.now(UTC).replace(microsecond=0)


class Containers:
    """Containers of an orchestration, whose logs the test writes: to files, or to streams."""

    def __init__(self, orchestration: Orchestration, stores: Stores, folder: Path | None) -> None:
        self.orchestration, self._stores, self._folder = orchestration, stores, folder
        self._seconds = 0

    def begin(self, share: int, first: int, last: int, **fields: Any) -> str:
        """Note that a container took up a share, and return where it writes."""
        if self._folder:
            log = str(self._folder / f"{share}.log")
            Path(log).touch()
        else:
            stream = f"default/job/{share}"
            log = f"{GROUP}/{stream}"
            clients.logs().create_log_stream(logGroupName=GROUP, logStreamName=stream)
        fields = {"launch": 0, "log": log} | fields
        self._stores.event_log.append(
            ContainerStarted(
                orchestration_id=self.orchestration.id, at=NOW, share=share, first=first, last=last, **fields
            )
        )
        return log

    def write(self, log: str, *lines: str, seconds: float | None = None) -> None:
        """Write lines, each a second after the line before."""
        for line in lines:
            self._seconds += 1
            at = NOW + timedelta(seconds=self._seconds if seconds is None else seconds)
            if self._folder:
                with Path(log).open("a") as file:
                    file.write(line + "\n")
                continue
            event = {"timestamp": int(at.timestamp() * 1000), "message": line}
            stream = log.removeprefix(f"{GROUP}/")
            clients.logs().put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])  # type: ignore[list-item] # a time and a text

    def record(self, message: str, index: int | None = None, logger: str = "shop", **fields: Any) -> str:
        """Return a line of a log record, as of when it will be written."""
        at = (NOW + timedelta(seconds=self._seconds + 1)).isoformat()
        known = {"timestamp": at, "level": "INFO", "logger": logger, "message": message}
        of_instance = {} if index is None else {"index": index, "attempt": 1}
        return json.dumps({**known, "orchestration_id": "o", **of_instance, **fields})


@pytest.fixture(params=["files", "streams"])
def kind(request: pytest.FixtureRequest) -> str:
    clients.logs().create_log_group(logGroupName=GROUP)
    return str(request.param)


@pytest.fixture
def start(
    kind: str, service: OrchestrationService, stores: Stores, tmp_path: Path
) -> Callable[[int, int], Containers]:
    def start(instances: int, shares: int) -> Containers:
        orchestration = service.kick_off_job("other", [{}] * instances, parallelism=shares)
        return Containers(orchestration, stores, tmp_path if kind == "files" else None)

    return start


Start = Callable[[int, int], Containers]


def messages(lines: Any) -> list[str]:
    return [line.message for line in lines]


def test_the_lines_of_all_containers_come_by_time_with_their_instances(start: Start) -> None:
    containers = start(2, 2)
    one, two = containers.begin(0, 0, 0), containers.begin(1, 1, 1)
    containers.write(one, containers.record("a", 0))
    containers.write(two, containers.record("b", 1))
    containers.write(one, containers.record("c", 0))
    lines = list(containers.orchestration.log_lines())
    assert [(line.message, line.index, line.share) for line in lines] == [
        ("a", 0, 0),
        ("b", 1, 1),
        ("c", 0, 0),
    ]
    assert [line.at for line in lines] == [NOW + timedelta(seconds=n) for n in (1, 2, 3)]


def test_what_is_written_after_a_program_that_did_not_end_its_line_keeps_its_instance(start: Start) -> None:
    # given a job whose programs print no end of the line, as curl does
    containers = start(2, 1)
    log = containers.begin(0, 0, 1)
    containers.write(log, containers.record("first", 0))
    for n, text in ((0, "after the program"), (1, "first words")):
        record = json.loads(containers.record(text, n))
        containers.write(log, '{"answer": 1}' + json.dumps({"level": record.pop("level"), **record}))
    containers.write(log, '{"level": "of water"} rises')
    # then each line is that of its instance, at its time
    lines = list(containers.orchestration.log_lines())
    answer, rising = '{"answer": 1}', '{"level": "of water"} rises'
    assert messages(lines) == ["first", answer, "after the program", answer, "first words", rising]
    assert [line.index for line in lines] == [0, None, 0, None, 1, None]
    assert [line.at for line in lines if line.index is not None] == [
        NOW + timedelta(seconds=n) for n in (1, 2, 3)
    ]
    # and none is lost or comes twice where a page ends between the two parts of a line
    page = containers.orchestration.log_page()
    assert messages(page.lines) == messages(lines)
    paged, page = [], containers.orchestration.log_page(limit=1, next_token=encode_positions({}))
    while page.lines:
        paged += page.lines
        page = containers.orchestration.log_page(limit=1, next_token=page.next_token)
    assert messages(paged) == messages(lines)


def test_more_streams_than_one_call_takes_are_read_together(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_sources, "LOG_CONTAINERS", 3)
    containers = start(8, 8)
    for n in range(8):
        containers.write(containers.begin(n, n, n), containers.record(str(n), n))
    assert messages(containers.orchestration.log_lines()) == [str(n) for n in range(8)]


def test_a_line_that_names_no_instance_is_of_the_one_that_ran_then(start: Start, stores: Stores) -> None:
    containers = start(2, 1)
    log = containers.begin(0, 0, 1)
    began = [NOW + timedelta(seconds=1), NOW + timedelta(seconds=100)]
    append_events(
        stores,
        *(
            JobStarted(orchestration_id=containers.orchestration.id, at=at, index=n, attempt=1)
            for n, at in enumerate(began)
        ),
        job_completed(0).model_copy(
            update={"orchestration_id": containers.orchestration.id, "at": NOW + timedelta(seconds=50)}
        ),
    )
    containers.write(log, containers.record("of 0", 0), "raw of 0")
    containers._seconds = 100
    containers.write(log, containers.record("of 1", 1), "raw of 1")
    # then each has its own lines, and those of programs that it called
    assert messages(containers.orchestration.log_lines(0)) == ["of 0", "raw of 0"]
    assert messages(containers.orchestration.log_lines(1)) == ["of 1", "raw of 1"]


def test_the_sdks_own_lines_are_left_out_unless_they_are_errors_or_asked_for(start: Start) -> None:
    containers = start(1, 1)
    log = containers.begin(0, 0, 0)
    containers.write(
        log,
        containers.record("noise", logger="background_jobs.worker.main", level="WARNING"),
        containers.record("found credentials", logger="botocore.credentials"),
        containers.record("cannot go on", logger="background_jobs.worker.main", level="ERROR"),
        containers.record("mine", 0),
    )
    orchestration = containers.orchestration
    assert messages(orchestration.log_lines()) == ["cannot go on", "mine"]
    assert messages(orchestration.log_lines(everything=True))[:2] == ["noise", "found credentials"]


def test_what_was_written_before_a_moment_is_left_out(start: Start) -> None:
    containers = start(1, 1)
    log = containers.begin(0, 0, 0)
    containers.write(log, containers.record("early", 0))
    containers.write(log, containers.record("late", 0))
    late = containers.orchestration.log_lines(since=NOW + timedelta(seconds=2))
    assert messages(late) == ["late"]


def test_a_page_goes_on_where_the_page_before_ended(start: Start) -> None:
    # given a page with the last lines
    containers = start(1, 1)
    log = containers.begin(0, 0, 0)
    containers.write(log, *(f"line {n}" for n in range(5)))
    page = containers.orchestration.log_page(0, limit=3)
    assert (messages(page.lines), page.cut, page.more) == (["line 2", "line 3", "line 4"], True, False)
    # when more is written, also in the same millisecond
    containers.write(log, "line 5", "line 6", "line 7", seconds=5)
    # then the next pages have that, and nothing twice
    following = containers.orchestration.log_page(0, limit=2, next_token=page.next_token)
    assert (messages(following.lines), following.more) == (["line 5", "line 6"], True)
    last = containers.orchestration.log_page(0, next_token=following.next_token)
    assert (messages(last.lines), last.more) == (["line 7"], False)
    assert containers.orchestration.log_page(0, next_token=last.next_token).lines == []


def test_a_token_that_is_none_is_refused(start: Start) -> None:
    containers = start(1, 1)
    containers.begin(0, 0, 0)
    for token in ("x", "AAAA", "é"):
        with pytest.raises(InvalidToken):
            containers.orchestration.log_page(next_token=token)


def test_the_log_of_a_container_that_died_before_its_first_event_is_read(
    start: Start, stores: Stores
) -> None:
    containers = start(2, 2)
    log = containers.begin(0, 0, 0)
    dead = log.replace("/0", "/dead")
    if dead.endswith(".log"):
        Path(dead).touch()
    else:
        clients.logs().create_log_stream(logGroupName=GROUP, logStreamName="default/job/dead")
    containers.write(dead, "ModuleNotFoundError: No module named 'shop'")
    delay = ShareDelayed(
        orchestration_id=containers.orchestration.id, at=NOW, share=1, number=0,
        reason=DelayReason.LOST, detail="exit code 1", log=dead,
    )  # fmt: skip
    stores.event_log.append(delay)
    expected = ["ModuleNotFoundError: No module named 'shop'"]
    assert messages(containers.orchestration.log_lines()) == expected
    assert messages(containers.orchestration.log_lines(1)) == expected


def test_a_log_that_is_gone_is_named_and_the_others_are_read(start: Start, kind: str) -> None:
    containers = start(2, 2)
    log, gone = containers.begin(0, 0, 0), containers.begin(1, 1, 1)
    containers.write(log, "here")
    if kind == "files":
        Path(gone).unlink()
    else:
        clients.logs().delete_log_stream(logGroupName=GROUP, logStreamName="default/job/1")
    lines = containers.orchestration.log_lines()
    assert next(lines).message == "here"
    with pytest.raises(LogNotFound, match=gone):
        next(lines)
    page = containers.orchestration.log_page()
    assert (messages(page.lines), len(page.missing)) == (["here"], 1)


def test_a_container_cannot_lead_readers_to_the_log_of_another_service(
    service: OrchestrationService, stores: Stores
) -> None:
    clients.logs().create_log_group(logGroupName=GROUP)
    clients.logs().create_log_stream(logGroupName=GROUP, logStreamName="payroll/job/1")
    clients.logs().put_log_events(
        logGroupName=GROUP, logStreamName="payroll/job/1",
        logEvents=[{"timestamp": int(NOW.timestamp() * 1000), "message": "secret"}],
    )  # fmt: skip
    containers = Containers(service.kick_off_job("other", [{}]), stores, None)
    containers.begin(0, 0, 0, log=f"{GROUP}/payroll/job/1")
    assert containers.orchestration.log_page().lines == []


def test_a_long_line_is_cut_and_nothing_after_it_is_lost(
    service: OrchestrationService, stores: Stores, tmp_path: Path
) -> None:
    """A line of any length takes as much memory as is looked at of it."""
    containers = Containers(service.kick_off_job("other", [{}]), stores, tmp_path)
    log = Path(containers.begin(0, 0, 0))
    log.write_bytes(b"x" * 3_000_000 + b"\n\x00\xff binary\nafter\n")
    long, binary, after = messages(containers.orchestration.log_lines(0))
    assert len(long) < 20_000
    assert long.endswith("characters more)")
    assert (binary, after) == ("\x00\N{REPLACEMENT CHARACTER} binary", "after")


def test_a_log_that_cannot_be_read_is_named_and_the_others_are_read(
    service: OrchestrationService, stores: Stores, tmp_path: Path
) -> None:
    containers = Containers(service.kick_off_job("other", [{}, {}], parallelism=2), stores, tmp_path)
    log, unreadable = containers.begin(0, 0, 0), containers.begin(1, 1, 1)
    containers.write(log, "here")
    Path(unreadable).unlink()
    Path(unreadable).mkdir()
    lines = containers.orchestration.log_lines()
    assert next(lines).message == "here"
    with pytest.raises(LogNotFound, match="cannot be read: Is a directory"):
        next(lines)
