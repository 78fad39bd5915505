"""The queue in SQS of the shares that are offered to the warm workers of a service."""

from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import ValidationError

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.containers.warm import HIDDEN_SECONDS, Offer

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_POLL_SECONDS: Final = 20
"""How long SQS waits for a message, at most."""


class ReceivedOffer(NamedTuple):
    """A message of the queue."""

    receipt: str
    offer: Offer | None
    """None where the message is none of ours."""


class Backlog(NamedTuple):
    """How many messages a queue has, as SQS estimates it."""

    offered: int
    """Those that nobody has received."""
    taken: int
    """Those that somebody has, and has not deleted."""


class OfferQueue:
    """One queue; each message is in it until the share has ended, and hidden while a worker has it."""

    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url

    @reaching_aws
    def receive(self, wait_seconds: int = _POLL_SECONDS) -> ReceivedOffer | None:
        """Return a message, or None where none has come within *wait_seconds*."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=1, WaitTimeSeconds=wait_seconds
        )
        for message in answer.get("Messages", []):
            try:
                offer = Offer.model_validate_json(message["Body"])
            except ValidationError:
                offer = None
            return ReceivedOffer(message["ReceiptHandle"], offer)
        return None

    @reaching_aws
    def hide(self, receipt: str) -> None:
        """Hide a message from others for another HIDDEN_SECONDS."""
        self._sqs.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=HIDDEN_SECONDS
        )

    @reaching_aws
    def delete(self, receipt: str) -> None:
        """Delete a message that was received."""
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt)

    @reaching_aws
    def backlog(self) -> Backlog:
        """Return how many messages there are."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        attributes = answer["Attributes"]
        return Backlog(
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    def close(self) -> None:
        """Close the connections, in a fork that must not use those of its parent."""
        self._sqs.close()


@reaching_aws
def find_queue(sqs: "SQSClient", name: str) -> str:
    """Return the address of the queue of this name."""
    return sqs.get_queue_url(QueueName=name)["QueueUrl"]
