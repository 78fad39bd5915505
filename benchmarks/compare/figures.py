"""The figures of one run of `make bench`, as they are kept in docs/benchmarks.json."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from benchmarks.compare.losses import Loss
from benchmarks.peers.catalogue import PEERS, ROOT

DOCUMENT: Final = ROOT / "docs" / "benchmarks.md"
KEPT: Final = DOCUMENT.with_suffix(".json")


class Machine(BaseModel):
    """Where and when it was measured."""

    at: datetime
    commit: str
    processor: str
    processors: int
    system: str
    python: str
    load_before: float
    """The load average of one minute before the first measurement."""
    load_after: float = 0.0


class Figures(BaseModel):
    """What was measured, by workload and peer."""

    machine: Machine
    repeat: int
    quick: bool
    versions: dict[str, str]
    left_out: dict[str, str] = {}
    """Why a peer is not in it."""
    seconds: dict[str, dict[str, list[float]]] = {}
    without: dict[str, dict[str, str]] = {}
    """Why a peer has no seconds in a workload."""
    losses: dict[str, dict[str, Loss]] = {}
    no_losses: dict[str, dict[str, str]] = {}
    """Why it is not known what a peer lost."""
    own: list[dict[str, Any]] = []
    lag: dict[str, float] = {}

    def note(self, peer: str, workload: str, figure: float | str) -> None:
        """Keep one more figure, or why there is none."""
        if isinstance(figure, str):
            self.without.setdefault(workload, {})[peer] = figure
        else:
            self.seconds.setdefault(workload, {}).setdefault(peer, []).append(round(figure, 4))

    def of_peer(self, peer: str) -> dict[str, list[float]]:
        """Return the seconds of a peer so far, by workload."""
        return {name: peers[peer] for name, peers in self.seconds.items() if peer in peers}

    def keep(self, path: Path = KEPT) -> None:
        """Write them down; what is there already is replaced."""
        path.write_text(self.model_dump_json(indent=1) + "\n")

    @classmethod
    def kept(cls, path: Path = KEPT) -> "Figures":
        """Read them back."""
        return cls.model_validate_json(path.read_text())


def begin(*, repeat: int, quick: bool) -> Figures:
    """Return figures without any, of this machine."""
    machine = Machine(
        at=datetime.now(UTC).replace(microsecond=0),
        commit=_commit(),
        processor=_processor(),
        processors=os.cpu_count() or 1,
        system=platform.platform(),
        python=platform.python_version(),
        load_before=round(os.getloadavg()[0], 2),
    )
    versions = {name: peer.version for name, peer in PEERS.items()}
    return Figures(machine=machine, repeat=repeat, quick=quick, versions=versions)


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def run_own(module: str, *arguments: str) -> Any:  # noqa: ANN401 -- any JSON
    """Run a benchmark of ours in a process of its own, which says how much memory it takes."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
