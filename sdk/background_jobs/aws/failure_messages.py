"""The messages of the failure queue in SQS, to be sent again where they came from."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.questions import ask

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_AT_ONCE: Final = 10
"""SQS hands out no more."""
_HIDDEN_SECONDS: Final = 900
"""For how long a message is nobody else's: as long as a function may run."""


class FailureMessage(NamedTuple):
    """One message, and the receipt with which it is deleted."""

    id: str
    body: str
    attributes: dict[str, str]
    receipt: str


class FailureMessages:
    """The queue *arn*, read to its end."""

    def __init__(self, sqs: "SQSClient", arn: str) -> None:
        self._sqs = sqs
        self._arn = arn

    def count(self) -> tuple[int, int]:
        """Return about how many messages wait, and how many somebody has just taken. Raises ClientError."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._url(),
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        found = answer["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    @reaching_aws
    def receive(self) -> list[FailureMessage]:
        """Return all messages that are there, each once; `release` those that are to stay."""
        messages: dict[str, FailureMessage] = {}
        try:
            for received in self._receive_all(self._url()):
                new = [message for message in received if message.id not in messages]
                # Only the last receipt of a message that comes twice deletes it.
                messages.update((message.id, message) for message in received)
                if not new:
                    break
        except BaseException:
            self.release(messages.values())
            raise
        return list(messages.values())

    def _receive_all(self, url: str) -> Iterator[list[FailureMessage]]:
        while True:
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_AT_ONCE,
                MessageAttributeNames=["All"],
                VisibilityTimeout=_HIDDEN_SECONDS,
                # Without a wait, SQS asks a few of its servers only, and misses messages.
                WaitTimeSeconds=1,
            )
            messages = answer.get("Messages", [])
            if not messages:
                return
            yield [_message(message) for message in messages]

    @reaching_aws
    def delete(self, message: FailureMessage) -> None:
        """Delete a message whose work is done."""
        self._sqs.delete_message(QueueUrl=self._url(), ReceiptHandle=message.receipt)

    def release(self, messages: Iterable[FailureMessage]) -> None:
        """Leave messages in the queue, for others to see at once; those that AWS refuses come back later."""
        for message in messages:
            ask(partial(self._release, message))

    def _release(self, message: FailureMessage) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._url(), ReceiptHandle=message.receipt, VisibilityTimeout=0
        )

    def _url(self) -> str:
        *_, account, name = self._arn.split(":")
        return self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]


def _message(received: Mapping[str, Any]) -> FailureMessage:
    attributes = {
        name: value.get("StringValue", "") for name, value in received.get("MessageAttributes", {}).items()
    }
    return FailureMessage(received["MessageId"], received["Body"], attributes, received["ReceiptHandle"])
