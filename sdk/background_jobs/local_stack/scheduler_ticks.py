"""The emulator's Scheduler as on AWS: time zones, windows, every occurrence, and its time in the input."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from background_jobs.core.schedules.definition import SCHEDULED_TIME, explain_invalid
from background_jobs.core.schedules.timing import Timing, check_zone

TICK_SECONDS: Final = 1
"""The time between two looks for due schedules; AWS may take up to a minute."""

_WINDOW: Final = {"start": "StartDate", "end": "EndDate"}
_EXPRESSION: Final = re.compile(
    r"cron\((?P<cron>.+)\)|rate\((?P<number>[0-9]{1,6}) (?P<unit>minute|hour|day)s?\)|at\((?P<at>.+)\)"
)
_log = logging.getLogger(__name__)


class Ticks:
    """Delivers the occurrences that have become due since the last tick."""

    def __init__(self, scheduler: Any, invoke_target: Callable[..., Any]) -> None:
        self._scheduler = scheduler
        self._invoke_target = invoke_target
        self._seen: dict[Any, datetime] = {}
        self._told: dict[Any, str] = {}
        """Why schedules could not be delivered at the last tick."""

    def tick(self) -> None:
        """Deliver each occurrence of each schedule that is enabled, once."""
        now = datetime.now(UTC)
        for key, schedule in list(self._scheduler._schedules._data.items()):
            try:
                self._deliver(key, schedule, now)
            except Exception as error:  # noqa: BLE001 -- one schedule must keep no other from its occurrences
                if self._told.get(key) != str(error):
                    _log.exception("The schedule %s cannot be delivered", schedule["Name"])
                self._told[key] = str(error)
            else:
                self._told.pop(key, None)

    def _deliver(self, key: Any, schedule: Mapping[str, Any], now: datetime) -> None:
        changed = _moment(schedule["LastModificationDate"])
        since = max(self._seen.get(key, changed), changed)
        self._seen[key] = now
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


def refuse_unreadable(change: Callable[..., Any], answer_error: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the making or changing of a schedule, so that it refuses what cannot be read, as on AWS."""

    def refuse_or_change(name: str, body: Mapping[str, Any]) -> Any:
        expression = body.get("ScheduleExpression")
        if not expression:
            return change(name, body)
        zone = body.get("ScheduleExpressionTimezone", "UTC")
        schedule = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": zone}
        try:
            parse_timing({**schedule, "CreationDate": time.time()})
        except ValueError as error:
            reason = explain_invalid(error) if isinstance(error, ValidationError) else str(error)
            message = f"Invalid Schedule Expression {expression}: {reason}."
            return answer_error(400, "ValidationException", message)
        return change(name, body)

    return refuse_or_change


def parse_timing(schedule: Mapping[str, Any]) -> Timing:
    """Return when the emulator's *schedule* is due. Raises ValueError if that cannot be read."""
    zone = check_zone(schedule["ScheduleExpressionTimezone"])
    window = {name: _moment(schedule[field]) for name, field in _WINDOW.items() if schedule.get(field)}
    found = _EXPRESSION.fullmatch(schedule["ScheduleExpression"].strip())
    if found is None:
        raise ValueError("it is no cron(...), at(...), or rate(...) of minutes, hours or days")
    if found["cron"]:
        return Timing(cron=found["cron"], timezone=zone, **window)
    if found["at"]:
        return Timing(at=datetime.fromisoformat(found["at"]).replace(tzinfo=ZoneInfo(zone)))
    every = timedelta(**{f"{found['unit']}s": int(found["number"])})
    return Timing(every=every, **{"start": _moment(schedule["CreationDate"]), **window})


def _moment(value: float | str) -> datetime:
    """Return a moment as the emulator keeps it: seconds since the epoch, or a text."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value, UTC)
