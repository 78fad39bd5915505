"""What caused a failure: the type of its error, its message apart from the values in it, and its place."""

import json
import re
from hashlib import sha256
from typing import Final, NamedTuple, Self

from background_jobs.core.events import JobError
from background_jobs.core.payloads import bounded

MESSAGE_CHARACTERS: Final = 1_000
_ID_DIGITS: Final = 12
"""`core.bounds.CAUSE_ID` takes as many."""
_VARIABLE: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|'[^']*'|\"[^\"]*\"")
_FRAME: Final = re.compile(r'^  File "([^"]+)", line (\d+), in (.+)$', re.MULTILINE)


class CauseKey(NamedTuple):
    """What the failures of one cause have in common, and those of others have not."""

    type: str
    message: str
    place: str

    @classmethod
    def of(cls, error: JobError) -> Self:
        """Return the key of the cause of *error*."""
        message = normalise_message(bounded(error.message, MESSAGE_CHARACTERS))
        return cls(error.type, message, innermost_frame(error.traceback))

    @property
    def id(self) -> str:
        """Return the id of the cause, which is the same on every page and in every orchestration.

        >>> CauseKey("ValueError", "customer … has … orders", "jobs.py:3 in run").id
        '728a52021313'
        """
        return sha256(json.dumps(self).encode()).hexdigest()[:_ID_DIGITS]


def cause_id(error: JobError) -> str:
    """Return the id of the cause of *error*."""
    return CauseKey.of(error).id


def normalise_message(message: str) -> str:
    """Return *message* without the values that differ between instances: numbers, ids and quoted texts.

    >>> normalise_message("customer 'acme' has 3 orders")
    'customer … has … orders'
    """
    return _VARIABLE.sub("…", message)


def innermost_frame(traceback: str) -> str:
    """Return the innermost place that *traceback* names; empty if it names none.

    >>> innermost_frame('  File "jobs.py", line 3, in run')
    'jobs.py:3 in run'
    """
    frames = _FRAME.findall(traceback)
    return "{}:{} in {}".format(*frames[-1]) if frames else ""
