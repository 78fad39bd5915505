"""Reading the event log's stream: from records to events, and to the records that must come again."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from background_jobs.aws.log_items import read_item
from background_jobs.core.blocks import Fault
from background_jobs.core.events import Event, orchestration_of_partition
from background_jobs.core.given_up import UnreadableRecord
from background_jobs.core.tables import PARTITION_KEY, SORT_KEY

EVENTS_AT_ONCE: Final = 4_000
"""Events that are handled together, at most; a batch of the stream may hold hundreds of thousands."""
_MOST_FAULTS: Final = 100
"""Of one record; a message of the queue holds 256 KB."""
_TTL: Final = "dynamodb.amazonaws.com"
"""Who removes what has expired."""
_log = logging.getLogger(__name__)

Handle = Callable[[str, str, Sequence[Event]], None]
"""Takes the service and the id of an orchestration, and events of it."""
GiveUp = Callable[[UnreadableRecord], None]
"""Takes a record of which something can never be read, and keeps it for people."""


class _Numbered(NamedTuple):
    """A record, and its place in the batch."""

    place: int
    number: str
    image: Mapping[str, Any]


def handle_records(
    records: Iterable[Mapping[str, Any]], handle: Handle, give_up: GiveUp
) -> dict[str, list[dict[str, str]]]:
    """Call *handle* with the events of each orchestration, and return Lambda's partial batch response.

    Service and orchestration are those of an item's key. Events that fail do not hold up others: the
    response names the first record of each portion that failed, and the stream is read again from the
    earliest of them.
    What cannot be read now, or may not be in its place, never can: *give_up* is called with it at once, the
    other events of its record are handled, and it does not come again. So it holds up nothing. Pointers to
    services and events of schedules are left out.
    """
    orchestrations: dict[tuple[str, str], list[_Numbered]] = {}
    for place, record in enumerate(records):
        image = record["dynamodb"].get("NewImage")
        if record["eventName"] == "INSERT" and image is not None:
            orchestration = orchestration_of_partition(image[PARTITION_KEY]["S"])
            if orchestration is not None:
                numbered = _Numbered(place, record["dynamodb"]["SequenceNumber"], image)
                orchestrations.setdefault(orchestration, []).append(numbered)
    failed: list[str] = []
    for (service, orchestration_id), group in orchestrations.items():
        for first, events in _portions(_readable(group, give_up, failed)):
            try:
                handle(service, orchestration_id, events)
            except Exception:  # noqa: BLE001 -- the edge: reported to Lambda, which delivers again
                _log.exception(
                    "The records of an orchestration failed", extra={"orchestration_id": orchestration_id}
                )
                failed.append(first.number)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def report_changes(records: Iterable[Mapping[str, Any]]) -> int:
    """Log each item of the event log that was replaced or removed, and return how many those are.

    The log is append-only, but IAM cannot forbid a put without a condition. What expires is no change.
    """
    changed = [record for record in records if _is_change(record)]
    for record in changed:
        key = record["dynamodb"]["Keys"]
        kind = "removed" if record["eventName"] == "REMOVE" else "replaced"
        _log.error(
            "An item of the event log was %s: %s / %s",
            kind,
            key[PARTITION_KEY]["S"],
            key[SORT_KEY]["S"],
            extra={"change": kind, "partition": key[PARTITION_KEY]["S"], "sort": key[SORT_KEY]["S"]},
        )
    return len(changed)


def _is_change(record: Mapping[str, Any]) -> bool:
    if record["eventName"] == "REMOVE":
        identity = record.get("userIdentity") or {}
        return (identity.get("type"), identity.get("principalId")) != ("Service", _TTL)
    return bool(record["eventName"] == "MODIFY")


def _readable(
    records: Iterable[_Numbered], give_up: GiveUp, failed: list[str]
) -> Iterator[tuple[_Numbered, Sequence[Event]]]:
    """Yield each record with its events; give up what cannot be read of it.

    Records are taken by partition, so that their neighbours touch the same chunks of the read model. The
    numbers of those that could not be given up are added to *failed*.
    """
    for record in sorted(records, key=lambda record: record.image[PARTITION_KEY]["S"]):
        events, faults = read_item(record.image)
        if faults:
            unreadable = _unreadable(record, faults)
            _log.error("A record of the event log cannot be read", extra=unreadable.model_dump())
            try:
                give_up(unreadable)
            except Exception:  # noqa: BLE001 -- the edge: reported to Lambda, which delivers again
                _log.exception("Record %s could not be given up", record.number)
                failed.append(record.number)
                continue
        if events:
            yield record, events


def _unreadable(record: _Numbered, faults: Sequence[Fault]) -> UnreadableRecord:
    return UnreadableRecord(
        partition=record.image[PARTITION_KEY]["S"],
        sort=record.image[SORT_KEY]["S"],
        sequence_number=record.number,
        faults=list(map(str, faults[:_MOST_FAULTS])),
    )


def _portions(
    records: Iterable[tuple[_Numbered, Sequence[Event]]],
) -> Iterator[tuple[_Numbered, Sequence[Event]]]:
    """Yield the events of *records* in portions, each with its earliest record; unpack them as they come."""
    held: list[_Numbered] = []
    events: list[Event] = []
    for record, unpacked in records:
        if held and len(events) + len(unpacked) > EVENTS_AT_ONCE:
            yield min(held), events
            held, events = [], []
        held.append(record)
        events += unpacked
    if held:
        yield min(held), events
