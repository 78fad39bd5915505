"""The emulator's Scheduler as on AWS: time zones, windows, every occurrence, and its time in the input."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

from background_jobs.core.schedules.definition import SCHEDULED_TIME
from background_jobs.core.schedules.timing import Timing

TICK_SECONDS: Final = 1
"""The time between two looks for due schedules; AWS may take up to a minute."""

_WINDOW: Final = {"start": "StartDate", "end": "EndDate"}
_EXPRESSION: Final = re.compile(r"(cron|rate|at)\((.+)\)")
_log = logging.getLogger(__name__)


class Ticks:
    """Delivers the occurrences that have become due since the last tick."""

    def __init__(self, scheduler: Any, invoke_target: Callable[..., Any]) -> None:
        self._scheduler = scheduler
        self._invoke_target = invoke_target
        self._seen: dict[Any, datetime] = {}

    def tick(self) -> None:
        """Deliver each occurrence of each schedule that is enabled, once."""
        now = datetime.now(UTC)
        for key, schedule in list(self._scheduler._schedules._data.items()):
            changed = _moment(schedule["LastModificationDate"])
            since = max(self._seen.get(key, changed), changed)
            self._seen[key] = now
            try:
                self._deliver(key, schedule, since, now)
            except ValueError:
                _log.exception("The schedule %s cannot be read", schedule["Name"])

    def _deliver(self, key: Any, schedule: Mapping[str, Any], since: datetime, now: datetime) -> None:
        timing = parse_timing(schedule)
        if schedule["State"] == "ENABLED":
            for at in takewhile(lambda at: at <= now, timing.after(since)):
                self._invoke(schedule, at)
        if schedule.get("ActionAfterCompletion") == "DELETE" and next(timing.after(now), None) is None:
            self._scheduler._schedules._data.pop(key, None)

    def _invoke(self, schedule: Mapping[str, Any], at: datetime) -> None:
        _, _, _, region, account, _ = schedule["Arn"].split(":", 5)
        self._scheduler.set_request_account_id(account)
        self._scheduler.set_request_region(region)
        event = {
            "EventId": str(uuid.uuid4()),
            "Source": "aws.scheduler",
            "DetailType": "Scheduled Event",
            "Detail": "{}",
            "Time": at.timestamp(),
            "Resources": [schedule["Arn"]],
            "Account": account,
            "Region": region,
        }
        payload = schedule["Target"].get("Input", "{}").replace(SCHEDULED_TIME, f"{at:%Y-%m-%dT%H:%M:%SZ}")
        self._invoke_target({**schedule["Target"], "Input": payload}, event, schedule)


def parse_timing(schedule: Mapping[str, Any]) -> Timing:
    """Return when the emulator's *schedule* is due. Raises ValueError if its expression is invalid."""
    expression = _EXPRESSION.fullmatch(schedule["ScheduleExpression"].strip())
    kind, text = expression.groups() if expression else ("", "")
    window = {name: _moment(schedule[field]) for name, field in _WINDOW.items() if schedule.get(field)}
    zone = schedule["ScheduleExpressionTimezone"]
    match kind:
        case "cron":
            return Timing(cron=text, timezone=zone, **window)
        case "rate":
            number, unit = text.split()
            every = timedelta(**{unit.rstrip("s") + "s": int(number)})
            return Timing(every=every, **{"start": _moment(schedule["CreationDate"]), **window})
        case "at":
            return Timing(at=datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))
    raise ValueError(schedule["ScheduleExpression"])


def _moment(value: float | str) -> datetime:
    """Return a moment as the emulator keeps it: seconds since the epoch, or a text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value, UTC)
