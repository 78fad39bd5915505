"""What the offline stack delivers at each tick of its clock, whatever else got into the emulator."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from background_jobs.local_stack.scheduler_ticks import Ticks

MINUTE = timedelta(minutes=1)


def schedule(name: str, expression: str, zone: str = "UTC") -> dict[str, Any]:
    """A schedule as the emulator keeps it, made two minutes ago."""
    made = (datetime.now(UTC) - 2 * MINUTE).timestamp()
    return {
        "Name": name,
        "Arn": f"arn:aws:scheduler:us-east-1:000000000000:schedule/default/{name}",
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "Target": {"Input": "{}"},
        "State": "ENABLED",
        "CreationDate": made,
        "LastModificationDate": made,
    }


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("rate(1 fortnight)", "UTC"),
        ("rate(99999999999 days)", "UTC"),
        ("cron(nonsense)", "UTC"),
        ("at(2026-11-24T03:00:00)", "Nowhere/Land"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_told_of_once_and_keeps_nobody_from_theirs(
    expression: str, zone: str, caplog: pytest.LogCaptureFixture
) -> None:
    # given a schedule that cannot be read, before one that is due
    due = schedule("due", f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:00})")
    schedules = {"bad": schedule("bad", expression, zone), "due": due}
    delivered: list[str] = []
    scheduler = SimpleNamespace(
        _schedules=SimpleNamespace(_data=schedules),
        set_request_account_id=str,
        set_request_region=str,
    )
    ticks = Ticks(scheduler, lambda target, event, schedule: delivered.append(schedule["Name"]))

    # when time goes on
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ticks.tick()

    # then the other one was delivered, and the log says once that this one was not
    assert delivered == ["due"]
    assert [record.getMessage() for record in caplog.records] == ["The schedule bad cannot be delivered"]
