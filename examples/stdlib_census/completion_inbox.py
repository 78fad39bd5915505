"""A service that receives completions: a rule on the bus, with a queue as its target."""

import json
import time
import uuid
from types import TracebackType
from typing import Self

import boto3

from background_jobs import JobCompletedEvent, Settings


class CompletionInbox:
    """A queue that receives every JobCompletedEvent while the context is open."""

    def __init__(self) -> None:
        self._bus = Settings.from_env().event_bus
        self._name = f"census-{uuid.uuid4()}"
        self._sqs = boto3.client("sqs")
        self._events = boto3.client("events")
        self._queue = ""

    def __enter__(self) -> Self:
        self._queue = self._sqs.create_queue(QueueName=self._name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])["Attributes"]
        pattern = {"source": ["background-jobs"], "detail-type": ["JobCompletedEvent"]}
        self._events.put_rule(Name=self._name, EventBusName=self._bus, EventPattern=json.dumps(pattern))
        self._events.put_targets(
            Rule=self._name, EventBusName=self._bus, Targets=[{"Id": "inbox", "Arn": arn["QueueArn"]}]
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.remove_targets(Rule=self._name, EventBusName=self._bus, Ids=["inbox"])
        self._events.delete_rule(Name=self._name, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._queue)

    def wait_for_completion(self, orchestration_id: str, *, timeout: float) -> JobCompletedEvent:
        """Return the completion of one orchestration. Raises TimeoutError after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            answer = self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                event = JobCompletedEvent.model_validate(json.loads(message["Body"])["detail"])
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                if event.orchestration_id == orchestration_id:
                    return event
        raise TimeoutError(f"No JobCompletedEvent of {orchestration_id} arrived within {timeout:g} s.")
