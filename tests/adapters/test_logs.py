from datetime import UTC, datetime, timedelta

import pytest

from background_jobs.aws import clients
from background_jobs.aws.logs import LogLine, Logs
from background_jobs.core.errors import LogNotFound
from background_jobs.orchestration_service.container_logs import open_log

GROUP, STREAM = "/team/background-jobs", "billing/job/0123abc"
NOW = datetime.now(UTC).replace(microsecond=0)


def write(*messages: str) -> None:
    clients.logs().put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=[
            {"timestamp": int((NOW + timedelta(seconds=n)).timestamp() * 1000), "message": message}
            for n, message in enumerate(messages)
        ],
    )


@pytest.fixture(autouse=True)
def stream() -> None:
    clients.logs().create_log_group(logGroupName=GROUP)
    clients.logs().create_log_stream(logGroupName=GROUP, logStreamName=STREAM)


def test_a_location_is_read_page_by_page_to_its_end_and_on_from_there() -> None:
    write("one", "two")
    logs = Logs(clients.logs())
    first = logs.page(f"{GROUP}/{STREAM}")
    assert first.lines == [
        LogLine(at=NOW, message="one"),
        LogLine(at=NOW + timedelta(seconds=1), message="two"),
    ]
    end = logs.page(f"{GROUP}/{STREAM}", first.next_token)
    assert (end.lines, logs.page(f"{GROUP}/{STREAM}", end.next_token).next_token) == ([], end.next_token)


def test_a_source_yields_what_has_come_since_it_was_asked_last() -> None:
    source = open_log(f"{GROUP}/{STREAM}")
    assert list(source.new_lines(to_the_end=False)) == []
    write("one", "two")
    assert [line.message for line in source.new_lines(to_the_end=False)] == ["one", "two"]
    assert list(source.new_lines(to_the_end=True)) == []


@pytest.mark.parametrize("location", [f"{GROUP}/billing/job/other", "/nobody/billing/job/0123abc"])
def test_a_log_that_is_not_there_is_named(location: str) -> None:
    with pytest.raises(LogNotFound, match=location):
        Logs(clients.logs()).page(location)


def test_of_a_log_with_many_shares_the_part_of_one_is_read() -> None:
    write("of the share before", "one", "two", "of the next share")
    source = open_log(f"{GROUP}/{STREAM}", since=NOW + timedelta(seconds=1))
    until = NOW + timedelta(seconds=2)
    lines = source.new_lines(to_the_end=True, until=until)
    assert [line.message for line in lines] == ["one", "two"]
