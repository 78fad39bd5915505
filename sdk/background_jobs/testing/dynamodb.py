"""DynamoDB in memory: the operations and expressions that this package uses, and no other."""

import re
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from background_jobs.core.tables import PARTITION_KEY, SORT_KEY, TableSchema
from background_jobs.testing.client import MemoryClient
from background_jobs.testing.faults import Faults
from background_jobs.testing.refusals import Exceptions
from background_jobs.testing.virtual_time import VirtualTime

Item = Mapping[str, Any]
_PAGE: Final = 1_000
_WRITE_SECONDS: Final = 1e-6
"""What a write takes, so that no two events are of the same moment; some keys have the time in them."""
_KEYS: Final = re.compile(
    r"(?P<partition>[#\w]+) = (?P<equal>:\w+) AND (?P<sort>[#\w]+) "
    r"(?:BETWEEN (?P<low>:\w+) AND (?P<high>:\w+)|> (?P<above>:\w+))"
)
_IS_FREE: Final = re.compile(r"attribute_not_exists\((?:pk|sk)\)")
_IS_FREE_OR_EQUAL: Final = re.compile(r"attribute_not_exists\((?:pk|sk)\) OR (\w+) = (:\w+)")
_EQUAL: Final = re.compile(r"(#\w+) = (:\w+)")


class _Table:
    """The items of a table, by partition and in the order of their sort keys."""

    def __init__(self, schema: TableSchema, inserted: Callable[[Item], None] | None) -> None:
        self.indexes = {index.name: index for index in schema.indexes}
        self._inserted = inserted
        self._items: dict[str, dict[str, Item]] = {}
        self._sorts: dict[str, list[str]] = {}

    def get(self, key: Item) -> Item | None:
        return self._items.get(key[PARTITION_KEY]["S"], {}).get(key[SORT_KEY]["S"])

    def put(self, item: Item) -> None:
        partition, sort = item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]
        items = self._items.setdefault(partition, {})
        is_new = sort not in items
        items[sort] = item
        if is_new:
            insort(self._sorts.setdefault(partition, []), sort)
            if self._inserted:
                self._inserted(item)

    def between(self, partition: str, low: str, high: str | None) -> list[Item]:
        """Return the items from *low* to *high*, both included; beyond *low* alone where that is None."""
        sorts, items = self._sorts.get(partition, []), self._items.get(partition, {})
        first = bisect_right(sorts, low) if high is None else bisect_left(sorts, low)
        last = len(sorts) if high is None else bisect_right(sorts, high)
        return [items[sort] for sort in sorts[first:last]]

    def all(self) -> Iterator[Item]:
        for items in self._items.values():
            yield from items.values()


class MemoryDynamoDB(MemoryClient):
    """The tables of one environment. *look* is called before a caller reads one of *looked_at*."""

    service = "dynamodb"
    exceptions = Exceptions("ConditionalCheckFailedException", "TransactionCanceledException")

    def __init__(self, time: VirtualTime, faults: Faults, look: Callable[[], None]) -> None:
        super().__init__(time, faults)
        self._look = look
        self._tables: dict[str, _Table] = {}
        self._looked_at: str | None = None
        self._changing = threading.RLock()

    def add_table(
        self,
        name: str,
        schema: TableSchema,
        *,
        inserted: Callable[[Item], None] | None = None,
        is_looked_at: bool = False,
    ) -> None:
        """Make a table; *inserted* is told of each item that is new in it, as its stream is."""
        self._tables[name] = _Table(schema, inserted)
        if is_looked_at:
            self._looked_at = name

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool = False) -> dict[str, Any]:  # noqa: N803 -- the names of boto3
        """Return an item, if it is there."""
        del ConsistentRead
        self._begin_read("GetItem", TableName)
        return _found(self._tables[TableName].get(Key))

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803 -- the same
        """Return some items of a table."""
        ((table, request),) = RequestItems.items()
        self._begin_read("BatchGetItem", table)
        found = filter(None, map(self._tables[table].get, request["Keys"]))
        return {"Responses": {table: list(found)}, "UnprocessedKeys": {}}

    def transact_get_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- the same
        """Return some items as of one moment."""
        self._begin_read("TransactGetItems", TransactItems[0]["Get"]["TableName"])
        with self._changing:
            gets = [item["Get"] for item in TransactItems]
            return {"Responses": [_found(self._tables[get["TableName"]].get(get["Key"])) for get in gets]}

    def put_item(self, **put: Any) -> dict[str, Any]:  # noqa: ANN401 -- the arguments of boto3
        """Store an item on a condition."""
        self._request("PutItem")
        self._time.skip(_WRITE_SECONDS)
        with self._changing:
            before, holds = self._check(put)
            if not holds:
                returned = {"Item": before} if _returns_old(put) and before else {}
                raise self.exceptions.make(
                    "ConditionalCheckFailedException", "PutItem", "The conditional request failed", **returned
                )
            self._store(put)
        return {}

    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 -- the same
        """Store some items, each on its condition, or none of them."""
        self._request("TransactWriteItems")
        self._time.skip(_WRITE_SECONDS)
        puts = [item["Put"] for item in TransactItems]
        with self._changing:
            checked = [(put, *self._check(put)) for put in puts]
            if all(holds for _, _, holds in checked):
                for put in puts:
                    self._store(put)
                return {}
        reasons = [_reason(put, before, holds=holds) for put, before, holds in checked]
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
        raise self.exceptions.make(
            "TransactionCanceledException", "TransactWriteItems", message, CancellationReasons=reasons
        )

    def get_paginator(self, operation: str) -> "MemoryDynamoDB":
        """Return what pages through a query."""
        if operation != "query":
            raise NotImplementedError(f"The twin has no paginator for {operation}.")
        return self

    def paginate(self, **query: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- the arguments of boto3
        """Yield the pages of a query."""
        self._begin_read("Query", query["TableName"])
        with self._changing:
            found = self._query(**query)
        config = query.get("PaginationConfig", {})
        if limit := config.get("MaxItems"):
            found = found[:limit]
        size = config.get("PageSize") or _PAGE
        for first in range(0, max(1, len(found)), size):
            yield {"Items": found[first : first + size]}

    def _query(self, **query: Any) -> list[Item]:  # noqa: ANN401 -- the same
        table, keys = self._tables[query["TableName"]], _KEYS.fullmatch(query["KeyConditionExpression"])
        if keys is None:
            raise NotImplementedError(f"The twin cannot read {query['KeyConditionExpression']!r}.")
        values, names = query["ExpressionAttributeValues"], query.get("ExpressionAttributeNames", {})
        partition = values[keys["equal"]]["S"]
        low = values[keys["above"] or keys["low"]]["S"]
        high = values[keys["high"]]["S"] if keys["high"] else None
        if index := query.get("IndexName"):
            schema = table.indexes[index]
            sort_key, partition_key = schema.sort_key, schema.partition_key
            if (names[keys["partition"]], names[keys["sort"]]) != (partition_key, sort_key) or high is None:
                raise NotImplementedError(f"The twin cannot query the index {index} by {names}.")
            found = sorted(
                (
                    item
                    for item in table.all()
                    if item.get(partition_key, {}).get("S") == partition
                    and low <= item.get(sort_key, {}).get("S", "") <= high
                ),
                key=lambda item: (item[sort_key]["S"], item[PARTITION_KEY]["S"]),
            )
        else:
            sort_key = SORT_KEY
            found = table.between(partition, low, high)
        if not query.get("ScanIndexForward", True):
            found.reverse()
        if start := query.get("ExclusiveStartKey"):
            places = [(item[PARTITION_KEY], item[SORT_KEY]) for item in found]
            found = found[places.index((start[PARTITION_KEY], start[SORT_KEY])) + 1 :]
        if expression := query.get("FilterExpression"):
            equal = _EQUAL.fullmatch(expression)
            if equal is None:
                raise NotImplementedError(f"The twin cannot filter by {expression!r}.")
            found = [item for item in found if item.get(names[equal[1]]) == values[equal[2]]]
        return found

    def _begin_read(self, operation: str, table: str) -> None:
        if table == self._looked_at:
            self._look()
        self._request(operation)

    def _check(self, put: Mapping[str, Any]) -> tuple[Item | None, bool]:
        """Return the item that is in the place of *put*, and whether its condition holds."""
        before = self._tables[put["TableName"]].get(put["Item"])
        condition = put.get("ConditionExpression")
        if condition is None or (before is None and _IS_FREE.match(condition)):
            return before, True
        if _IS_FREE.fullmatch(condition):
            return before, False
        if equal := _IS_FREE_OR_EQUAL.fullmatch(condition):
            value = put["ExpressionAttributeValues"][equal[2]]
            return before, before is not None and before.get(equal[1]) == value
        raise NotImplementedError(f"The twin cannot check {condition!r}.")

    def _store(self, put: Mapping[str, Any]) -> None:
        self._tables[put["TableName"]].put(dict(put["Item"]))


def _found(item: Item | None) -> dict[str, Any]:
    return {} if item is None else {"Item": item}


def _returns_old(put: Mapping[str, Any]) -> bool:
    return put.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _reason(put: Mapping[str, Any], before: Item | None, *, holds: bool) -> dict[str, Any]:
    if holds:
        return {"Code": "None"}
    reason = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    return {**reason, **({"Item": before} if _returns_old(put) and before else {})}
