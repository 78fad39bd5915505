"""Cleans up generated folders of logs; some are under a hold, which is lifted for a rerun."""

import argparse
import tempfile
from pathlib import Path

from background_jobs import OrchestrationService, batched


def main() -> None:
    """Clean up as many folders as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        folders = [_generate(Path(root), number) for number in range(options.folders)]
        orchestration = OrchestrationService().kick_off_job("clean_up", batched(folders, 20, "folders"))
        successes, failures = orchestration.results()
        print(f"{successes.total('files')} files deleted, {len(failures or [])} batches failed")
        if failures is None:
            return
        # Why, in one line for each cause; a hold on one folder has stopped its batch alone.
        print(failures.digest())
        # Somebody has looked, and lifts the holds: the same batches again, with one param changed.
        again = failures.rerun(params_patch={"force": True})
        again.results()
        merged, left = orchestration.results(merged=True)
        print(f"{merged.total('files')} files deleted with the rerun, {len(left or [])} batches failed")
        print(f"{sum(1 for _ in Path(root).rglob('*.log'))} files left")


def _generate(root: Path, number: int) -> str:
    """Make a folder with three logs; every three hundredth is under a hold."""
    folder = root / f"2026-{number:05d}"
    folder.mkdir()
    for part in range(3):
        (folder / f"{part}.log").write_text("x" * 100)
    if number % 300 == 0:
        (folder / "HOLD").touch()
    return str(folder)


if __name__ == "__main__":
    main()
