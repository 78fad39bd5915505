"""An environment of its own for each peer, under build/peers."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.peers.catalogue import ROOT, Peer

FOLDER: Final = ROOT / "build" / "peers"
_INSTALL_SECONDS: Final = 600


class NotInstallable(Exception):
    """A peer, or the server that it needs, cannot be had on this machine."""


def python_of(peer: Peer) -> str:
    """Return the Python that has *peer*; it is installed if it is not there. Raises NotInstallable."""
    if not peer.environment:
        return sys.executable
    folder = FOLDER / peer.environment
    done = folder / "installed.txt"
    wanted = "\n".join(peer.requirements)
    if not done.exists() or done.read_text() != wanted:
        _install(folder, peer)
        done.write_text(wanted)
    return str(folder / "bin" / "python")


def _install(folder: Path, peer: Peer) -> None:
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], peer)
    python = str(folder / "bin" / "python")
    _run([*uv, "pip", "install", "--quiet", "--python", python, *peer.requirements], peer)


def _run(command: list[str], peer: Peer) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no reason was given").splitlines()[-1]
        raise NotInstallable(f"{', '.join(peer.requirements)}: {last}") from None
    except subprocess.TimeoutExpired:
        raise NotInstallable(f"{', '.join(peer.requirements)}: not within {_INSTALL_SECONDS} s") from None
