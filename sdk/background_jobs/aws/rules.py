"""The rules of EventBridge: what they make of an event for their targets."""

from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import BackgroundJobsError
from background_jobs.core.failed_deliveries import InputTransformer

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class RuleNotFound(BackgroundJobsError):
    """A rule no longer exists, or no longer has a target."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(
            f"its rule {rule.rsplit('/', 1)[-1]} is gone; what it started is to be started by hand"
        )


class Rules:
    """Rules by their ARNs."""

    def __init__(self, events: "EventBridgeClient") -> None:
        self._events = events

    @reaching_aws
    def input_transformer(self, rule: str, target: str) -> InputTransformer | None:
        """Return what *rule* makes of events for *target*; None where it passes them on as they are.

        Raises RuleNotFound.
        """
        *bus, name = rule.split("/")[1:] or [rule]
        try:
            found = self._events.list_targets_by_rule(Rule=name, EventBusName=bus[0] if bus else "default")
        except self._events.exceptions.ResourceNotFoundException as gone:
            raise RuleNotFound(rule) from gone
        for candidate in found["Targets"]:
            if candidate["Arn"] == target:
                made = candidate.get("InputTransformer")
                return made and InputTransformer(made.get("InputPathsMap", {}), made["InputTemplate"])
        raise RuleNotFound(rule)
