"""Logs that a machine reads: one object a line, with what the line is about."""

import json
import logging

from background_jobs.core import ids
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
