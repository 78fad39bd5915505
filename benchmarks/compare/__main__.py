"""Measure ours beside other libraries in one run, and write docs/benchmarks.md: a part of `make bench`.

The figures are kept in docs/benchmarks.json; with ``--render`` the document is written from them again.
"""

import argparse
import os
import tempfile
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.compare.figures import Figures, begin, run_own
from benchmarks.compare.losses import KINDS, measure_loss
from benchmarks.compare.measure import measure_round
from benchmarks.compare.render import write_document
from benchmarks.compare.running_peer import PeerFailed
from benchmarks.compare.workloads import COLD, COLD_TITLE, QUICK, WORKLOADS
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.environments import NotInstallable

_FAILURES: Final = (PeerFailed, OSError, TimeoutError)
_OWN_SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
_OWN_SIZES_QUICK: Final = _OWN_SIZES[:2]


class Run:
    """One run of all measurements, with its progress on the terminal."""

    def __init__(self, arguments: argparse.Namespace, progress: Progress, folder: Path) -> None:
        self._names: Collection[str] = QUICK if arguments.quick else tuple(WORKLOADS)
        self._sizes = _OWN_SIZES_QUICK if arguments.quick else _OWN_SIZES
        self._progress = progress
        self._folder = folder
        self._peers = list(arguments.peers or PEERS)
        self.figures = begin(repeat=1 if arguments.quick else arguments.repeat, quick=arguments.quick)
        steps = len(self._peers) * (self.figures.repeat + len(KINDS)) + len(self._sizes) + 1
        self._task = progress.add_task("", total=steps)

    def measure(self) -> None:
        """Measure round by round, every peer in each; then what kills cost, then ours alone."""
        for number in range(self.figures.repeat):
            for name in list(self._peers):
                self._measure_peer(name, number)
        for kind in KINDS:
            for name in self._peers:
                self._measure_loss(name, kind)
        for total in self._sizes:
            self._report(f"ours, {total:,} no-ops: what they cost")
            self.figures.own.append(run_own("own_costs", str(total)))
            self._keep()
        self._report("ours, how far the read model lags behind")
        self.figures.lag = run_own("lag")
        self._keep()

    def _keep(self) -> None:
        """Keep what was measured so far: a run takes long, and may be ended before."""
        self.figures.machine.load_after = round(os.getloadavg()[0], 2)
        self.figures.keep()
        self._progress.advance(self._task)

    def _measure_peer(self, name: str, number: int) -> None:
        peer, earlier = PEERS[name], self.figures.of_peer(name)
        try:
            for workload, figure in measure_round(
                peer, self._names, self._folder_of(name), earlier, lambda what: self._say(number, name, what)
            ):
                self.figures.note(name, workload, figure)
                self._print(name, workload, figure)
        except NotInstallable as reason:
            self._peers.remove(name)
            self.figures.left_out[name] = str(reason)
            self._progress.console.print(f"{peer.title} is left out: {reason}")
        except _FAILURES as failure:
            self._progress.console.print(f"[red]{peer.title}: {failure}")
            for workload in (COLD, *self._names):
                if workload not in self.figures.of_peer(name):
                    self.figures.note(name, workload, f"failed: {failure}")
        self._keep()

    def _measure_loss(self, name: str, kind: str) -> None:
        title = PEERS[name].title
        self._report(f"{title}: kill -9 of {KINDS[kind]}")
        try:
            loss = measure_loss(PEERS[name], kind, self._folder_of(name))
        except _FAILURES as failure:
            self.figures.no_losses.setdefault(kind, {})[name] = str(failure)
            self._progress.console.print(f"[red]{title}, kill -9 of {KINDS[kind]}: {failure}")
        else:
            self.figures.losses.setdefault(kind, {})[name] = loss
            self._progress.console.print(
                f"{title}, kill -9 of {KINDS[kind]}: {loss.missing} missing, "
                f"{loss.ran_twice} ran twice; to do: {loss.remedy}"
            )
        self._keep()

    def _folder_of(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _say(self, number: int, name: str, what: str) -> None:
        title = COLD_TITLE if what == COLD else what
        self._report(f"round {number + 1} of {self.figures.repeat}, {PEERS[name].title}: {title}")

    def _report(self, what: str) -> None:
        self._progress.update(self._task, description=what)

    def _print(self, name: str, workload: str, figure: float | str) -> None:
        title = COLD_TITLE if workload == COLD else WORKLOADS[workload].title
        shown = figure if isinstance(figure, str) else f"{figure:.3f} s"
        self._progress.console.print(f"{PEERS[name].title}: {title}: {shown}")


def main() -> None:
    """Measure, keep the figures, and write the document."""
    arguments = _parse()
    if not arguments.render:
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(*columns, console=Console(highlight=False)))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-")))
            folder.chmod(0o755)  # servers that run as another user find their own folder in it
            Run(arguments, progress, folder).measure()
    for path in write_document(Figures.kept()):
        print(f"written: {path}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="rounds, of which medians are taken")
    parser.add_argument("--quick", action="store_true", help="one round, and no more than 10,000 no-ops")
    parser.add_argument("--peers", nargs="+", choices=PEERS, help="only these")
    parser.add_argument("--render", action="store_true", help="write the document without measuring")
    return parser.parse_args()


if __name__ == "__main__":
    main()
