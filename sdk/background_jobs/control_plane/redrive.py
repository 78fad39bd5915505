"""Sending again what functions did not take: the messages of the failure queue, where each came from."""

import json
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, Literal

from pydantic import BaseModel

from background_jobs.aws.failure_messages import FailureMessage, FailureMessages
from background_jobs.aws.functions import FunctionFailed, Functions
from background_jobs.aws.questions import ask
from background_jobs.aws.rules import RuleNotFound, Rules
from background_jobs.aws.stream_records import RecordsExpired, StreamRecords
from background_jobs.core.failed_deliveries import (
    Invocation,
    NotRedrivable,
    StreamBatch,
    parse_failed_delivery,
)

_RECORDS_AT_ONCE: Final = 10
"""A record has at most 400 KB, and a function takes 6 MB."""


class Redriven(BaseModel):
    """What became of one message."""

    message_id: str
    function: str | None
    """The name of the function that did not take it; None where the message does not say."""
    outcome: Literal["sent", "would be sent", "failed again", "kept"]
    """What was sent is deleted from the queue; all else stays in it."""
    reason: str = ""


class Redrive:
    """Sends messages to their functions again; all that a function does may be done twice."""

    def __init__(
        self, messages: FailureMessages, functions: Functions, records: StreamRecords, rules: Rules
    ) -> None:
        self._messages = messages
        self._functions = functions
        self._records = records
        self._rules = rules

    def run(self, *, dry: bool) -> Iterator[Redriven]:
        """Yield what became of each message of the queue; a *dry* run sends and deletes nothing.

        Records of the stream are deleted when their function has taken them. All other events are handed to
        Lambda, which puts those on which a function fails again into the queue once more.
        """
        received = self._messages.receive()
        left = {message.id: message for message in received}
        try:
            for message in received:
                done = self._handle(message, dry=dry)
                if done.outcome == "sent":
                    self._messages.delete(message)
                    del left[message.id]
                yield done
        finally:
            self._messages.release(left.values())

    def _handle(self, message: FailureMessage, *, dry: bool) -> Redriven:
        delivery = parse_failed_delivery(message.body, message.attributes)
        if isinstance(delivery, NotRedrivable):
            return Redriven(message_id=message.id, function=None, outcome="kept", reason=delivery.reason)
        name = delivery.function.rsplit(":", 1)[-1]
        if dry:
            return Redriven(message_id=message.id, function=name, outcome="would be sent")
        try:
            refusal = ask(partial(self._send, delivery))
        except (RecordsExpired, RuleNotFound) as gone:
            return Redriven(message_id=message.id, function=name, outcome="kept", reason=str(gone))
        except FunctionFailed as failed:
            return Redriven(message_id=message.id, function=name, outcome="failed again", reason=str(failed))
        if refusal is not None:
            return Redriven(message_id=message.id, function=name, outcome="kept", reason=refusal.message)
        return Redriven(message_id=message.id, function=name, outcome="sent")

    def _send(self, delivery: Invocation | StreamBatch) -> None:
        if isinstance(delivery, Invocation):
            self._functions.send(delivery.function, self._input(delivery))
            return
        records = self._records.read(delivery)
        while portion := list(islice(records, _RECORDS_AT_ONCE)):
            answer = self._functions.ask(delivery.function, json.dumps({"Records": portion}))
            if refused := _refused(answer):
                raise FunctionFailed(delivery.function, f"it did not take the records {', '.join(refused)}")

    def _input(self, delivery: Invocation) -> str:
        """Return what the function takes: the event, or what its rule makes of it."""
        if not delivery.rule:
            return delivery.payload
        made = self._rules.input_transformer(delivery.rule, delivery.function)
        return made.apply(delivery.payload) if made else delivery.payload


def _refused(answer: Any) -> list[str]:  # noqa: ANN401 -- a function's answer
    """Return the sequence numbers of the records that a function asks for again."""
    failures = answer.get("batchItemFailures", []) if isinstance(answer, dict) else []
    return [str(failure["itemIdentifier"]) for failure in failures]
