"""Reading the event log's stream: from records to events, and to the records that must come again."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from background_jobs.aws.log_items import event_from_item
from background_jobs.core.events import Event, orchestration_of_partition

_log = logging.getLogger(__name__)


def handle_records(
    records: Iterable[Mapping[str, Any]], handle: Callable[[str, Sequence[Event]], None]
) -> dict[str, list[dict[str, str]]]:
    """Call *handle* with each orchestration's id and events, and return Lambda's partial batch response.

    An orchestration that fails does not hold up the others: the response names the first record of each
    that failed, and the stream is read again from the earliest of them. A record that holds no event of ours
    is named, too, until Lambda hands it to the failure queue. Events of schedules are left out.
    """
    events: dict[str, list[Event]] = {}
    first: dict[str, str] = {}
    failed: list[str] = []
    for record in records:
        image = record["dynamodb"].get("NewImage")
        if record["eventName"] != "INSERT" or image is None:
            continue
        if orchestration_of_partition(image["pk"]["S"]) is None:
            continue
        number = record["dynamodb"]["SequenceNumber"]
        try:
            event = event_from_item(image)
        except (KeyError, ValueError):
            _log.exception("Record %s holds no event: %s", number, record["dynamodb"].get("Keys"))
            failed.append(number)
            continue
        events.setdefault(event.orchestration_id, []).append(event)
        first.setdefault(event.orchestration_id, number)
    for orchestration_id, batch in events.items():
        try:
            handle(orchestration_id, batch)
        except Exception:  # noqa: BLE001 -- the edge: reported to Lambda, which delivers again
            _log.exception(
                "The records of an orchestration failed", extra={"orchestration_id": orchestration_id}
            )
            failed.append(first[orchestration_id])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
