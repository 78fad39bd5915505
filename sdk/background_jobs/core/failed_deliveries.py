"""What the failure queue holds, and what of it can be sent again where it came from.

Three services put messages there, each in a form of its own; `docs/runbook.md` describes them.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from background_jobs.core.bus import EVENT_SOURCE
from background_jobs.core.given_up import UnreadableRecord

_TARGET: Final = "TARGET_ARN"
"""The attribute with which EventBridge and Scheduler say whom they could not reach."""


class Invocation(NamedTuple):
    """An event that a function did not take: from a rule, a schedule, or Lambda's own queue of events."""

    function: str
    """Its ARN."""
    payload: str
    """The event, as JSON."""
    rule: str = ""
    """The ARN of the rule that may make an input of its own from the event; empty where none does."""


class StreamBatch(NamedTuple):
    """Where records are in a stream that a function did not take; the message does not have themselves."""

    function: str
    stream: str
    """Its ARN."""
    shard: str
    first: str
    """The sequence number of its first record."""
    last: str


class InputTransformer(NamedTuple):
    """What a rule makes of an event for its target."""

    paths: Mapping[str, str]
    """Where in the event the values are, by their names in the template: ``{"id": "$.detail.id"}``."""
    template: str

    def apply(self, event: str) -> str:
        """Return the input that the target is given for *event*, both as JSON; what is absent becomes null.

        >>> InputTransformer({"id": "$.detail.id"}, '{"go": <id>}').apply('{"detail": {"id": "a"}}')
        '{"go": "a"}'
        """
        parsed = json.loads(event)
        values = {name: json.dumps(_at(parsed, path)) for name, path in self.paths.items()}
        # At once, since a value may have the look of a name: ``<id>``.
        names = "|".join(map(re.escape, values))
        named = re.compile(rf'"<({names})>"|<({names})>')
        return (
            named.sub(lambda found: values[found[1] or found[2]], self.template) if values else self.template
        )


class NotRedrivable(NamedTuple):
    """A message that can only be read by people."""

    reason: str


FailedDelivery = Invocation | StreamBatch | NotRedrivable


def parse_failed_delivery(body: str, attributes: Mapping[str, str]) -> FailedDelivery:
    """Return what a message of the failure queue, with its *body* and *attributes*, asks for.

    Sources: AWS Lambda Developer Guide, "Retain discarded records for a DynamoDB event source" and "Capturing
    records of asynchronous invocations"; Amazon EventBridge User Guide, "Using dead-letter queues"; Amazon
    EventBridge Scheduler User Guide, "Configuring a dead-letter queue".

    >>> parse_failed_delivery("{}", {"TARGET_ARN": "arn:aws:lambda:eu-central-1:1:function:f"}).function
    'arn:aws:lambda:eu-central-1:1:function:f'
    """
    if target := attributes.get(_TARGET):
        return _from_rule(body, target, attributes)
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return NotRedrivable("it is no JSON that can be read")
    if not isinstance(message, dict):
        return NotRedrivable("it is no JSON object")
    return _from_object(message)


def _from_object(message: Mapping[str, Any]) -> FailedDelivery:
    if message.get("type") == UnreadableRecord.model_fields["type"].default:
        return NotRedrivable("its item of the event log can never be read")
    try:
        return _from_lambda(message)
    except (KeyError, TypeError, AttributeError):
        return NotRedrivable("it does not say to which function it was sent")
    except ValueError:
        return NotRedrivable("it does not say where in the stream its records are")


def _from_rule(body: str, target: str, attributes: Mapping[str, str]) -> FailedDelivery:
    if ":lambda:" not in target:
        return NotRedrivable(f"its target {target} is no function")
    if attributes.get("IS_PAYLOAD_TRUNCATED") == "true":
        return NotRedrivable("Scheduler has cut its payload")
    # It is not documented whether the queue gets the event, or what the rule has made of it.
    return Invocation(target, body, attributes.get("RULE_ARN", "") if _is_own_event(body) else "")


def _is_own_event(body: str) -> bool:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(event, dict) and event.get("source") == EVENT_SOURCE


def _at(event: object, path: str) -> object:
    """Return what is at a *path* of names, ``$.detail.tags``; None where nothing is."""
    for name in path.removeprefix("$.").split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def _from_lambda(message: Mapping[str, Any]) -> FailedDelivery:
    function = _unqualified(message["requestContext"]["functionArn"])
    if batch := message.get("DDBStreamBatchInfo"):
        first, last = batch["startSequenceNumber"], batch["endSequenceNumber"]
        if int(first) > int(last):
            raise ValueError
        return StreamBatch(function, batch["streamArn"], batch["shardId"], first, last)
    return Invocation(function, json.dumps(message["requestPayload"]))


def _unqualified(arn: str) -> str:
    """Return the ARN of a function without its version, so that what has been mended is invoked."""
    return ":".join(arn.split(":")[:7])
