"""The peers: what each is, what it needs, and the commands of its workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.protocol import Place

_AT_ONCE: Final = 100
"""Tasks that a worker of DBOS runs at once where there are fewer workers than tasks."""
_MANY: Final = 8
"""So many workers run one task each at a time, which is what is measured then."""
Commands = list[list[str]]


def _no_workers(_python: str, _place: Place) -> Commands:
    return []


def _huey(python: str, place: Place) -> Commands:
    consumer = [python, "-m", "huey.bin.huey_consumer", "benchmarks.peers.huey_peer.huey"]
    return [[*consumer, "-k", "process", "-w", str(place.workers), "-q", "-n", "-d", "0.01", "-m", "0.1"]]


def _celery(python: str, place: Place) -> Commands:
    app = [python, "-m", "celery", "--app", "benchmarks.peers.celery_peer", "worker"]
    return [[*app, "--concurrency", str(place.workers), "--loglevel", "ERROR"]]


def _dbos(python: str, place: Place) -> Commands:
    at_once = str(1 if place.workers >= _MANY else _AT_ONCE)
    module = [python, "-m", "benchmarks.peers.dbos_peer"]
    return [[*module, f"worker-{number}", at_once] for number in range(place.workers)]


def _dask(python: str, place: Place) -> Commands:
    module = [python, "-m", "distributed.cli.dask_worker", place.address]
    return [[*module, "--nworkers", str(place.workers), "--nthreads", "1", "--no-dashboard"]]


@dataclass(frozen=True)
class Peer:
    """A library that runs jobs."""

    title: str
    module: str
    """Its module beside this one."""
    keeps: str
    """What holds its tasks and results."""
    server: str = ""
    """What `benchmarks.compare.servers` starts for it."""
    environment: str = ""
    """The folder of its environment; empty for this one."""
    requirements: Sequence[str] = ()
    released_with: str = ""
    """What stands for its version where it needs no package."""
    worker_commands: Callable[[str, Place], Commands] = _no_workers

    @property
    def version(self) -> str:
        """Return the versions that its environment has."""
        return ", ".join(self.requirements) or self.released_with


_REDIS = "redis==8.1.0"
PEERS: Final = {
    "ours": Peer(
        "ours",
        "ours_peer",
        "an emulator of AWS, in memory",
        server="local_stack",
        released_with="this commit",
    ),
    "huey-redis": Peer(
        title="Huey on Redis",
        module="huey_peer",
        keeps="Redis, appended to a file every second",
        server="redis",
        environment="huey",
        requirements=("huey==3.5.4", _REDIS),
        worker_commands=_huey,
    ),
    "huey-sqlite": Peer(
        title="Huey on SQLite",
        module="huey_peer",
        keeps="a file",
        server="file",
        environment="huey",
        requirements=("huey==3.5.4", _REDIS),
        worker_commands=_huey,
    ),
    "celery": Peer(
        title="Celery on Redis",
        module="celery_peer",
        keeps="Redis, appended to a file every second",
        server="redis",
        environment="celery",
        requirements=("celery[redis]==5.7.0", _REDIS),
        worker_commands=_celery,
    ),
    "dbos": Peer(
        title="DBOS on Postgres",
        module="dbos_peer",
        keeps="Postgres, on disk at each commit",
        server="postgres",
        environment="dbos",
        requirements=("dbos==3.4.0",),
        worker_commands=_dbos,
    ),
    "dask": Peer(
        title="Dask distributed",
        module="dask_peer",
        keeps="nothing: its scheduler has all in memory",
        server="dask",
        environment="dask",
        requirements=("distributed==2026.8.0",),
        worker_commands=_dask,
    ),
    "pool": Peer(
        "process pool", "pool_peer", "nothing: the caller has all in memory", released_with="Python's own"
    ),
}

ROOT: Final = Path(__file__).parents[2]
