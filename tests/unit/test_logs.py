"""Logs that a machine reads: one object a line, with what the line is about."""

import json
import logging

import pytest

from background_jobs.core import ids
from background_jobs.core.log_lines import parse_line
from background_jobs.json_log import JsonFormatter
from background_jobs.settings import ContainerSettings
from background_jobs.worker.current_attempt import CurrentAttempt, SharedCurrentAttempt
from background_jobs.worker.logs import ContainerLog
from tests.unit.histories import ORCHESTRATION_ID

SETTINGS = ContainerSettings(
    job_name="census",
    orchestration_id=ORCHESTRATION_ID,
    job_id="id",
    share=4,
    indices="8-9",
    params_key="k",
    params_bytes="0-9",
)


def record(message: str, **fields: object) -> logging.LogRecord:
    log_record = logging.getLogger("shop").makeRecord("shop", logging.WARNING, __file__, 1, message, (), None)
    vars(log_record).update(fields)
    return log_record


def test_a_line_is_one_object_with_what_was_added_to_it() -> None:
    line = JsonFormatter().format(record("two\nlines", customer="acme", at={1}))
    assert "\n" not in line
    logged = json.loads(line)
    assert (logged["level"], logged["logger"], logged["message"]) == ("WARNING", "shop", "two\nlines")
    assert (logged["customer"], logged["at"]) == ("acme", "{1}")
    assert logged["timestamp"].endswith("+00:00")


def test_a_line_has_the_exception_that_it_is_about() -> None:
    error = ValueError("below zero")
    failed = record("failed", exc_info=(ValueError, error, None))
    assert json.loads(JsonFormatter().format(failed))["exception"] == "ValueError: below zero"


def test_every_line_of_a_container_says_which_share_and_which_instance_it_is_about() -> None:
    log = ContainerLog(SETTINGS)
    log.current_attempt = SharedCurrentAttempt()
    formatter = JsonFormatter(log.context)
    share = {"orchestration_id": ORCHESTRATION_ID, "job_name": "census", "share": 4}

    between = json.loads(formatter.format(record("between")))
    assert share.items() <= between.items()
    assert "job_id" not in between

    log.current_attempt.publish(CurrentAttempt(index=9, attempt=2, deadline=float("inf")))
    within = json.loads(formatter.format(record("within")))
    running = {"job_id": ids.job_id(ORCHESTRATION_ID, 9), "index": 9, "attempt": 2}
    assert (share | running).items() <= within.items()


def test_what_is_added_to_a_line_does_not_change_whose_line_it_is() -> None:
    """`extra={"index": n}` is what a job writes that counts."""
    log = ContainerLog(SETTINGS)
    log.current_attempt = SharedCurrentAttempt()
    log.current_attempt.publish(CurrentAttempt(index=9, attempt=2, deadline=float("inf")))
    added: dict[str, object] = dict.fromkeys(
        ("index", "attempt", "job_id", "share", "orchestration_id", "logger", "level", "timestamp"), 42
    )
    of_instance, between = record("counted", **added), record("between", exception="none")

    line = parse_line(JsonFormatter(log.context).format(of_instance))
    other = parse_line(JsonFormatter(log.context).format(between))

    assert (line.index, line.attempt, line.level, line.logger) == (9, 2, "WARNING", "shop")
    assert line.at is not None
    assert line.extra == {f"extra.{name}": 42 for name in added}
    assert other.message == "between"


def test_a_line_is_kept_whatever_is_added_to_it() -> None:
    holds_itself: list[object] = []
    holds_itself.append(holds_itself)

    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError

    added = {"by_day": {(2026, 11): 3}, "loop": holds_itself, "broken": Unprintable(), "fine": 1}

    logged = json.loads(JsonFormatter().format(record("counted", **added)))

    assert (logged["message"], logged["fine"]) == ("counted", 1)
    assert logged["by_day"] == "{(2026, 11): 3}"
    assert logged["loop"] == "[[...]]"
    assert logged["broken"] == "cannot be written (RuntimeError)"


def written(message: str, timestamp: str = "2026-11-24T09:30:00+00:00") -> str:
    return (
        f'{{"timestamp": "{timestamp}", "logger": "shop", "orchestration_id": "o", "message": "{message}"}}'
    )


@pytest.mark.parametrize("timestamp", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_time_that_no_clock_shows_is_unknown(timestamp: str) -> None:
    line = parse_line(written("far away", timestamp))
    assert (line.at, line.message) == (None, "far away")


@pytest.mark.parametrize(
    ("escaped", "message"),
    [
        (r"\udcff.csv", "\ufffd.csv"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d\ude00\uDCFF", "\U0001f600\ufffd"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
    ],
)
def test_half_a_character_can_be_written_again(escaped: str, message: str) -> None:
    """Names of files that are no UTF-8 have them."""
    line = parse_line(written(escaped))
    assert line.message == message
    assert json.loads(line.model_dump_json())["message"] == message
