"""The queue of what the functions gave up, in SQS; its alarm is `RecordsGivenUp`."""

import json
from typing import TYPE_CHECKING

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.given_up import UnreadableRecord

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class FailureQueue:
    """Where *function* puts a record that can never be read; Lambda puts there what it gives up itself."""

    def __init__(self, sqs: "SQSClient", url: str, function: str) -> None:
        self._sqs = sqs
        self._url = url
        self._function = function

    @reaching_aws
    def send(self, record: UnreadableRecord) -> None:
        """Hand *record* over; nobody is to deliver it again then."""
        message = {"function": self._function} | record.model_dump()
        self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(message))
