"""One round of a peer: everything down, then its workers warm, then eight of them."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.compare.running_peer import PeerFailed, RunningPeer
from benchmarks.compare.workloads import COLD, LIMIT_SECONDS, WORKLOADS
from benchmarks.peers.catalogue import Peer

_WARMING: Final = 20
Report = Callable[[str], None]
Figure = tuple[str, float | str]
"""The name of a workload, with its seconds, or why there are none."""


def measure_round(
    peer: Peer, names: Collection[str], folder: Path, earlier: Mapping[str, list[float]], report: Report
) -> Iterator[Figure]:
    """Yield what one round of *peer* measures, as it comes; *earlier* has the seconds of rounds before.

    Raises NotInstallable.
    """
    report(COLD)
    # The first start ever prepares the folder: it makes a database, say.
    with RunningPeer(peer, 2, folder) as running:
        running.ask("run", job="no_op", arguments=1)
    yield COLD, _start_cold(peer, folder)
    for workers in sorted({WORKLOADS[name].workers for name in names}):
        chosen = [name for name in names if WORKLOADS[name].workers == workers]
        with RunningPeer(peer, workers, folder) as running:
            yield from _measure_warm(running, chosen, earlier, report, workers)


def _start_cold(peer: Peer, folder: Path) -> float:
    began = time.monotonic()
    with RunningPeer(peer, 2, folder) as running:
        running.ask("run", job="no_op", arguments=1)
        return time.monotonic() - began


def _measure_warm(
    running: RunningPeer, names: list[str], earlier: Mapping[str, list[float]], report: Report, workers: int
) -> Iterator[Figure]:
    running.ask("run", job="nap", arguments=[0.05] * _WARMING * workers)
    known = {name: seconds[-1] for name, seconds in earlier.items() if name in WORKLOADS}
    for name in names:
        workload = WORKLOADS[name]
        if (expected := _expect(name, known)) > LIMIT_SECONDS:
            yield name, f"would take {expected:,.0f} s"
            continue
        report(workload.title)
        answer: dict[str, Any] = running.ask("run", job=workload.job, arguments=workload.arguments)
        if answer["found"] != workload.tasks:
            raise PeerFailed(f"{answer['found']:,} of {workload.tasks:,} results of {name}")
        known[name] = answer["seconds"]
        yield name, answer["seconds"]


def _expect(name: str, known: Mapping[str, float]) -> float:
    """Return how many seconds a workload may take, by one of a tenth of its tasks; 0 where there is none."""
    for other, seconds in known.items():
        if name.startswith("no_ops") and WORKLOADS[other].tasks * 10 == WORKLOADS[name].tasks:
            return 10 * seconds
    return 0.0
