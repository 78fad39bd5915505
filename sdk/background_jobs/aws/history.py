"""The history in DynamoDB: indexes over the summaries of the read model, by time, job and customer.

The indexes are over all services, and their entries name the keys of the summaries. Where only some services
are asked for, there is an index by service; other indexes that answer faster are read past what is of others.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import TypeAdapter

from background_jobs.aws.clients import reaching_aws
from background_jobs.aws.service_lookup import ServiceLookup
from background_jobs.core.errors import InvalidToken, OrchestrationNotFound
from background_jobs.core.read_model import Summary
from background_jobs.core.read_model_keys import SUMMARY, orchestration_of_key, service_of_key, summary_key
from background_jobs.core.retention import Retention
from background_jobs.core.statuses import OrchestrationStatus
from background_jobs.core.tables import (
    EXPIRES_AT,
    HISTORY_BY_CUSTOMER,
    HISTORY_BY_CUSTOMER_AND_STATUS,
    HISTORY_BY_JOB,
    HISTORY_BY_JOB_AND_STATUS,
    HISTORY_BY_SERVICE,
    HISTORY_BY_STATUS,
    HISTORY_BY_TIME,
    HISTORY_INDEXES,
    HISTORY_SORT_KEY,
    PARTITION_KEY,
    SORT_KEY,
)
from background_jobs.core.tags import CUSTOMER_TAG

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH_GET: Final = 100
_LONGEST_KEY: Final = 2_048
"""Bytes of a partition key."""
_FILTERED_PAGE: Final = 1_000
_BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before every orchestration; calculations with the ends of time overflow."""
_POSITION: Final = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilter:
    """Which orchestrations to return; None for any."""

    job_name: str | None = None
    status: OrchestrationStatus | None = None
    customer: str | None = None
    since: datetime | None = None
    until: datetime
    services: frozenset[str] | None = None
    tags: frozenset[tuple[str, str]] = frozenset()
    """Names and values that are all among the tags; no index has them, so summaries are read to find them."""

    @property
    def is_empty(self) -> bool:
        """Tell whether no orchestration can fit: none was started before there was AWS, or without a name."""
        return (
            self.services == frozenset()
            or (self.job_name is not None and not is_indexed(self.job_name))
            or self.until < max(_BEGINNING, self.since or _BEGINNING)
        )

    @property
    def goes_by_service(self) -> bool:
        """Tell whether the index by service answers best; what is in progress is little, of all services."""
        narrower = self.customer is not None or self.job_name is not None
        return (
            self.services is not None and not narrower and self.status is not OrchestrationStatus.IN_PROGRESS
        )

    def includes(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an entry of an index is of one of the services."""
        return self.services is None or service_of_key(entry[PARTITION_KEY]["S"]) in self.services

    def index(self, start: Mapping[str, str] | None, oldest: datetime) -> tuple[str, Iterable[str]]:
        """Return the index that answers best, and the partitions to ask, newest first."""
        if self.goes_by_service:
            return HISTORY_BY_SERVICE, sorted(self.services or ())
        if (named := self._by_name()) is not None:
            return named[0], [named[1]]
        newest = _week(self.until) if start is None else start.get(HISTORY_INDEXES[HISTORY_BY_TIME], "")
        return HISTORY_BY_TIME, _weeks(newest, _week(max(oldest, self.since or oldest)))

    def _by_name(self) -> tuple[str, str] | None:
        match self:
            case HistoryFilter(customer=str(customer), status=OrchestrationStatus() as status):
                return HISTORY_BY_CUSTOMER_AND_STATUS, _pair(customer, status)
            case HistoryFilter(customer=str(customer)):
                return HISTORY_BY_CUSTOMER, customer
            case HistoryFilter(job_name=str(job_name), status=OrchestrationStatus() as status):
                return HISTORY_BY_JOB_AND_STATUS, _pair(job_name, status)
            case HistoryFilter(job_name=str(job_name)):
                return HISTORY_BY_JOB, job_name
            case HistoryFilter(status=OrchestrationStatus() as status):
                return HISTORY_BY_STATUS, status
        return None

    def conditions(self, index: str) -> tuple[str, dict[str, str], dict[str, Any]]:
        """Return the filter for what *index* does not answer by itself: expression, names, values."""
        if index == HISTORY_BY_SERVICE and self.status is not None:
            return "#status = :status", {"#status": "status"}, {":status": {"S": str(self.status)}}
        # Of three filters an index answers two at the most, and customers come first.
        if self.job_name is None or index in {HISTORY_BY_JOB, HISTORY_BY_JOB_AND_STATUS}:
            return "", {}, {}
        return "#job_name = :job_name", {"#job_name": "job_name"}, {":job_name": {"S": self.job_name}}


class HistoryPage(NamedTuple):
    """Some orchestrations, newest first, and the token of what comes after them; None at the end."""

    summaries: list[Summary]
    next_token: str | None


class History:
    """All orchestrations that were kicked off, as far as they are kept."""

    def __init__(
        self, dynamodb: "DynamoDBClient", table: str, retention: Retention, lookup: ServiceLookup
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._retention = retention
        self._lookup = lookup

    @reaching_aws
    def page(self, history_filter: HistoryFilter, *, limit: int, after: str | None = None) -> HistoryPage:
        """Return the latest *limit* orchestrations, newest first; *after* is where the page before ended.

        Raises InvalidToken if *after* did not come from here.
        """
        if history_filter.is_empty:
            return HistoryPage([], None)
        find = self._entries_by_service if history_filter.goes_by_service else self._entries
        if history_filter.tags:
            entries_of_all = find(history_filter, _position(after), _FILTERED_PAGE)
            tagged = list(islice(self._tagged(entries_of_all, history_filter.tags), limit + 1))
            token = _token(tagged[limit - 1][0]) if len(tagged) > limit else None
            return HistoryPage([summary for _, summary in tagged[:limit]], token)
        entries = list(islice(find(history_filter, _position(after), limit + 1), limit + 1))
        summaries = self._read([entry[PARTITION_KEY]["S"] for entry in entries[:limit]])
        return HistoryPage(summaries, _token(entries[limit - 1]) if len(entries) > limit else None)

    def all(self, history_filter: HistoryFilter) -> Iterator[Summary]:
        """Yield every orchestration that fits the filter, newest first."""
        token: str | None = None
        while True:
            summaries, token = self.page(history_filter, limit=_BATCH_GET, after=token)
            yield from summaries
            if token is None:
                return

    @reaching_aws
    def ids_beginning_with(self, prefix: str, until: datetime) -> Iterator[str]:
        """Yield the ids that begin with *prefix*, newest first; no summary is read."""
        for entry in self._entries(HistoryFilter(until=until), None, _FILTERED_PAGE):
            orchestration_id = orchestration_of_key(entry[PARTITION_KEY]["S"])
            if orchestration_id.startswith(prefix):
                yield orchestration_id

    def _tagged(
        self, entries: Iterator[Mapping[str, Any]], tags: frozenset[tuple[str, str]]
    ) -> Iterator[tuple[Mapping[str, Any], Summary]]:
        """Yield those of *entries* whose orchestrations have all of *tags*, with their summaries."""
        while batch := list(islice(entries, _BATCH_GET)):
            summaries = self._read([entry[PARTITION_KEY]["S"] for entry in batch])
            by_id = {summary.orchestration_id: summary for summary in summaries}
            for entry in batch:
                summary = by_id.get(orchestration_of_key(entry[PARTITION_KEY]["S"]))
                if summary is not None and tags <= summary.tags.items():
                    yield entry, summary

    def _entries_by_service(
        self, history_filter: HistoryFilter, start: dict[str, str] | None, needed: int
    ) -> Iterator[Mapping[str, Any]]:
        """Yield what the index has of each of the services, merged, newest first."""
        until = history_filter.until if start is None else min(history_filter.until, _moment(start))
        one_service = (
            replace(history_filter, services=frozenset({service}), until=until)
            for service in history_filter.services or ()
        )
        entries = (_in_order(self._entries(one, None, needed)) for one in one_service)
        before = None if start is None else (start[HISTORY_SORT_KEY], start.get(PARTITION_KEY, ""))
        for entry in merge(*entries, key=_order, reverse=True):
            if before is None or _order(entry) < before:
                yield entry

    def _entries(
        self, history_filter: HistoryFilter, start: dict[str, str] | None, needed: int
    ) -> Iterator[Mapping[str, Any]]:
        index, partitions = history_filter.index(start, oldest=history_filter.until - self._retention.longest)
        expression, names, values = history_filter.conditions(index)
        index_is_exact = not expression and (index == HISTORY_BY_SERVICE or history_filter.services is None)
        for partition in partitions:
            options: Any = {"FilterExpression": expression} if expression else {}
            if start is not None:
                options["ExclusiveStartKey"] = _start_key(start, index)
                start = None
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression="#partition = :partition AND #sort BETWEEN :since AND :until",
                ExpressionAttributeNames={
                    **names,
                    "#partition": HISTORY_INDEXES[index],
                    "#sort": HISTORY_SORT_KEY,
                },
                ExpressionAttributeValues={
                    **values,
                    ":partition": {"S": partition},
                    ":since": {"S": _sortable(max(_BEGINNING, history_filter.since or _BEGINNING))},
                    ":until": {"S": _sortable(history_filter.until)},
                },
                ScanIndexForward=False,
                # A whole page is billed. Where a filter drops entries, a page must hold more.
                PaginationConfig={"PageSize": needed if index_is_exact else _FILTERED_PAGE},
                **options,
            )
            for page in pages:
                yield from filter(history_filter.includes, page["Items"])

    def summaries(self, orchestration_ids: list[str], *, consistent: bool = False) -> list[Summary]:
        """Return the summaries that have not expired, in the order of their ids; *consistent* costs twice."""
        partitions: list[str] = []
        for orchestration_id in orchestration_ids:
            with suppress(OrchestrationNotFound):
                service = self._lookup.find(orchestration_id)
                partitions.append(summary_key(service, orchestration_id).partition)
        return self._read(partitions, consistent=consistent)

    @reaching_aws
    def _read(self, partitions: list[str], *, consistent: bool = False) -> list[Summary]:
        found: dict[str, Summary] = {}
        now = datetime.now(UTC).timestamp()
        for first in range(0, len(partitions), _BATCH_GET):
            requests: Any = {
                self._table: {
                    "Keys": [
                        {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": SUMMARY}}
                        for partition in partitions[first : first + _BATCH_GET]
                    ],
                    "ConsistentRead": consistent,
                }
            }
            while requests:
                response = self._dynamodb.batch_get_item(RequestItems=requests)
                for item in response["Responses"].get(self._table, []):
                    if float(item[EXPIRES_AT]["N"]) > now:
                        found[item[PARTITION_KEY]["S"]] = Summary.model_validate_json(item["document"]["S"])
                requests = response.get("UnprocessedKeys")
        return [found[partition] for partition in partitions if partition in found]


def index_entry(summary: Summary) -> dict[str, Any]:
    """Return the attributes of a summary's item by which the indexes find it."""
    if summary.started_at is None:
        return {}
    customer = summary.tags.get(CUSTOMER_TAG)
    entry = {
        "week": _week(summary.started_at),
        HISTORY_SORT_KEY: _sortable(summary.started_at),
        "job_name": summary.job_name,
        "customer": customer,
        "status": str(summary.status),
        "service": summary.service,
        "job_status": _pair(summary.job_name, summary.status),
        "customer_status": customer and _pair(customer, summary.status),
    }
    # An item without the key is not in the index.
    return {name: {"S": value} for name, value in entry.items() if value is not None and is_key(value)}


def is_key(value: str) -> bool:
    """Tell whether an index has *value*: a key may be neither empty nor too long."""
    return 0 < len(value.encode()) <= _LONGEST_KEY


def is_indexed(name: str) -> bool:
    """Tell whether the indexes have a job or customer of this *name*, beside each status too."""
    return is_key(name) and all(is_key(_pair(name, status)) for status in OrchestrationStatus)


def _order(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry[HISTORY_SORT_KEY]["S"], entry[PARTITION_KEY]["S"]


def _in_order(entries: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield *entries*, newest first, with those of one moment in the order of their keys."""
    for _, started_together in groupby(entries, key=lambda entry: entry[HISTORY_SORT_KEY]["S"]):
        yield from sorted(started_together, key=_order, reverse=True)


def _moment(position: Mapping[str, str]) -> datetime:
    """Return where in time the page before ended. Raises InvalidToken."""
    with suppress(KeyError, ValueError):
        moment = datetime.fromisoformat(position[HISTORY_SORT_KEY])
        if moment.tzinfo is not None and moment >= _BEGINNING:
            return moment
    raise InvalidToken(json.dumps(position))


def _pair(name: str, status: OrchestrationStatus) -> str:
    return f"{status}#{name}"


def _week(at: datetime) -> str:
    """Return the Monday of the week of *at*: partitions by week stay small, and are few to read."""
    day = at.astimezone(UTC).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def _weeks(newest: str, oldest: str) -> Iterator[str]:
    """Yield weeks, newest first. Raises InvalidToken."""
    try:
        monday = date.fromisoformat(newest)
    except ValueError:
        raise InvalidToken(newest) from None
    while (name := monday.isoformat()) >= oldest:
        yield name
        monday -= timedelta(weeks=1)


def _sortable(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _token(entry: Mapping[str, Any]) -> str:
    key = {
        name: entry[name]["S"]
        for name in (PARTITION_KEY, SORT_KEY, HISTORY_SORT_KEY, *HISTORY_INDEXES.values())
        if name in entry
    }
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _start_key(position: Mapping[str, str], index: str) -> dict[str, dict[str, str]]:
    names = (PARTITION_KEY, SORT_KEY, HISTORY_INDEXES[index], HISTORY_SORT_KEY)
    if not position.keys() >= set(names):
        raise InvalidToken(json.dumps(position))
    return {name: {"S": position[name]} for name in names}


def _position(token: str | None) -> dict[str, str] | None:
    if token is None:
        return None
    try:
        position = _POSITION.validate_json(base64.urlsafe_b64decode(token))
    except ValueError:
        raise InvalidToken(token) from None
    return position
