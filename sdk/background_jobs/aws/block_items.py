"""Blocks as items of the event log, in DynamoDB's JSON."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from background_jobs.core.blocks import Block, InvalidBlock, pack, range_from_key, unpack
from background_jobs.core.events import EventKey
from background_jobs.core.tables import EXPIRES_AT, PARTITION_KEY, SORT_KEY

BLOCK: Final = "Block"
"""The attribute ``type`` of a block's item; events of the orchestration as a whole have their own."""


def item_of_block(block: Block, expires_at: float) -> dict[str, Any]:
    """Return the item that holds *block* until *expires_at*, in seconds since the epoch."""
    partition, sort = block.key
    stored = pack(block.body)
    return {
        PARTITION_KEY: {"S": partition},
        SORT_KEY: {"S": sort},
        "type": {"S": BLOCK},
        "fence": {"N": str(block.fence)},
        "owner": {"S": block.owner},
        "events": {"S": stored} if isinstance(stored, str) else {"B": stored},
        EXPIRES_AT: {"N": str(int(expires_at))},
    }


def block_from_item(item: Mapping[str, Any]) -> Block:
    """Return the block of an item, or of its stream image, in DynamoDB's JSON. Raises InvalidBlock."""
    try:
        instances, sequence = range_from_key(EventKey(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]))
        ((kind, stored),) = item["events"].items()
        body = unpack(_bytes(stored) if kind == "B" else stored)
        return Block(instances, sequence, int(item["fence"]["N"]), item["owner"]["S"], body)
    except (AttributeError, KeyError, TypeError) as wrong:
        raise InvalidBlock(f"An item is no block: it lacks {wrong}.") from wrong


def block_in_place(item: Mapping[str, Any]) -> Block:
    """Return the block of an item; where it cannot be read, one without events, for its place is taken.

    Raises InvalidBlock where its key is no place of a block.
    """
    try:
        return block_from_item(item)
    except ValueError:
        instances, sequence = range_from_key(EventKey(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"]))
        return Block(instances, sequence, 0, "unknown", b"")


def _bytes(stored: bytes | str) -> bytes:
    """Return binary content; Lambda's records spell it in base64."""
    if isinstance(stored, bytes):
        return stored
    return base64.b64decode(stored)
