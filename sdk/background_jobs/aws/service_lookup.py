"""To which service an orchestration belongs, for those who know its id alone."""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import POINTER_SORT, pointer_key
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KNOWN: Final = 10_000


class ServiceLookup:
    """Reads the pointers that kick-offs leave in the event log, each once."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._read_once = lru_cache(_KNOWN)(self._read)

    def find(self, orchestration_id: str) -> str:
        """Return the service of an orchestration, for good. Raises OrchestrationNotFound."""
        return self._read_once(orchestration_id)

    @reaching_aws
    def _read(self, orchestration_id: str) -> str:
        partition, sort = pointer_key(orchestration_id)
        response = self._dynamodb.get_item(
            TableName=self._table,
            Key={PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}},
            ConsistentRead=True,
        )
        if "Item" not in response:
            raise OrchestrationNotFound(orchestration_id)
        return response["Item"][POINTER_SORT]["S"]
