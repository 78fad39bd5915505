"""The process that calls a peer: it reads commands as lines of JSON, and answers with lines of JSON.

It runs in the peer's own environment: ``python -m benchmarks.peers.caller MODULE ADDRESS FOLDER WORKERS``.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.peers.protocol import Caller, Place


def main() -> None:
    """Answer until the standard input ends. What the peer prints goes to the standard error."""
    module, address, folder, workers = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    caller: Caller = importlib.import_module(f"benchmarks.peers.{module}").connect(
        Place(address, folder, int(workers))
    )
    for line in sys.stdin:
        command = json.loads(line)
        answer = globals()[command.pop("do")](caller, **command)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def run(caller: Caller, job: str, arguments: int | list[Any]) -> dict[str, Any]:
    """Kick off, and wait for all results: the seconds of each."""
    before, began = _memory(), time.monotonic()
    handle = caller.kick_off(job, _iterate(arguments))
    kicked_off = time.monotonic()
    found = sum(1 for _ in caller.results(handle, 600))
    return {
        "seconds": time.monotonic() - began,
        "kick_off": kicked_off - began,
        "found": found,
        "grown_mb": _memory() - before,
    }


def kick_off(caller: Caller, job: str, arguments: int | list[Any]) -> Any:  # noqa: ANN401 -- any JSON
    """Kick off only."""
    return caller.kick_off(job, _iterate(arguments))


def collect(caller: Caller, handle: Any, patience: float) -> list[Any]:  # noqa: ANN401 -- any JSON
    """Return the results that come, until none has come for *patience* seconds."""
    found: list[Any] = []
    try:
        found += caller.results(handle, patience)
    except Exception as error:  # noqa: BLE001 -- what a caller sees of a loss differs by peer
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return found


def _iterate(arguments: int | list[Any]) -> Iterable[Any]:
    return range(arguments) if isinstance(arguments, int) else arguments


def _memory() -> float:
    """Return the most MB that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
