"""The feed of an orchestration as it is stored: a few bytes for each instance that a commit changed."""

import json
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Any, Final

from background_jobs.core.read_model import Advance, FeedItem, Transition

_LEVEL: Final = 6
"""Of zlib: at most some thousand numbers are packed at once."""


def pack_feed_item(item: FeedItem) -> bytes:
    """Return *item* as it is stored, without its version.

    Transitions are kept by column, and numbers as the differences between neighbours: what moves together is
    mostly of neighbouring instances at almost the same time.
    """
    document: dict[str, Any] = {
        "counts": [item.running, item.completed, item.errored],
        "indices": _differences(transition.index for transition in item.transitions),
        "ranks": "".join(f"{transition.rank:x}" for transition in item.transitions),
        "times": _differences(_milliseconds(transition.at) for transition in item.transitions),
        "advances": [
            [advance.index, advance.attempt, advance.percent, advance.message, _milliseconds(advance.at)]
            for advance in item.advances
        ],
    }
    if item.cancelled_at:
        document["cancelled_at"] = _milliseconds(item.cancelled_at)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return zlib.compress(text.encode(), _LEVEL)


def unpack_feed_item(version: int, packed: bytes) -> FeedItem:
    """Return the item of *version* from the bytes that `pack_feed_item` made."""
    document = json.loads(zlib.decompress(packed))
    running, completed, errored = document["counts"]
    changes = zip(
        accumulate(document["indices"]), document["ranks"], accumulate(document["times"]), strict=True
    )
    return FeedItem(
        version,
        running,
        completed,
        errored,
        tuple(Transition(index, int(rank, 16), _moment(at)) for index, rank, at in changes),
        tuple(
            Advance(index, attempt, percent, message, _moment(at))
            for index, attempt, percent, message, at in document["advances"]
        ),
        _moment(document["cancelled_at"]) if "cancelled_at" in document else None,
    )


def _differences(numbers: Iterable[int]) -> list[int]:
    return [after - before for before, after in pairwise(_from_zero(numbers))]


def _from_zero(numbers: Iterable[int]) -> Iterator[int]:
    yield 0
    yield from numbers


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
