"""The alarms of an environment, in CloudWatch."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

from background_jobs.core.doctor.monitoring import AlarmFacts

_AT_ONCE: Final = 100
"""CloudWatch takes no more names."""


class Alarms:
    """The alarms of one account and region."""

    def __init__(self, cloudwatch: Any) -> None:  # noqa: ANN401 -- its types are not installed
        self._cloudwatch = cloudwatch

    def describe(self, names: Sequence[str]) -> list[AlarmFacts]:
        """Return the alarms of these *names*, without those that are not there."""
        found: list[AlarmFacts] = []
        rest = iter(names)
        while batch := list(islice(rest, _AT_ONCE)):
            answer = self._cloudwatch.describe_alarms(AlarmNames=batch, MaxRecords=_AT_ONCE)
            found += [
                AlarmFacts(
                    alarm["AlarmName"],
                    alarm["StateValue"],
                    alarm["AlarmActions"],
                    alarm["ActionsEnabled"],
                    alarm.get("AlarmDescription", ""),
                )
                for alarm in answer["MetricAlarms"]
            ]
        return found
