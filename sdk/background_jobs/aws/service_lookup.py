"""To which service an orchestration belongs, for those who know its id alone."""

from typing import TYPE_CHECKING, Final

from background_jobs.aws.clients import reaching_aws
from background_jobs.core.errors import OrchestrationNotFound
from background_jobs.core.events import POINTER_SORT, pointer_key
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KNOWN: Final = 10_000


class ServiceLookup:
    """Reads the pointers that kick-offs leave in the event log, each once: a pointer never changes."""

    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._known: dict[str, str] = {}

    def find(self, orchestration_id: str) -> str:
        """Return the service of an orchestration. Raises OrchestrationNotFound."""
        service = self._known.get(orchestration_id)
        if service is None:
            service = self._read(orchestration_id)
            self.remember(orchestration_id, service)
        return service

    def remember(self, orchestration_id: str, service: str) -> None:
        """Take note of a service that was found out otherwise."""
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[orchestration_id] = service

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
