"""Generates customers of an old system, and moves all of them."""

import argparse
import json
import tempfile
from pathlib import Path

from background_jobs import OrchestrationService, batched


def main() -> None:
    """Migrate as many records as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=24_000)
    parser.add_argument("--workers", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "old", Path(folder) / "new"
        source.mkdir()
        target.mkdir()
        _generate(source, options.records)
        orchestration = OrchestrationService().kick_off_job(
            "migrate",
            batched(range(options.records), 50, "ids", source=str(source), target=str(target)),
            parallelism=options.workers,
            key=f"migrate-{folder}",  # however often it is kicked off, it runs once
        )
        for update in orchestration.watch():
            done = update.summary.completed + update.summary.errored
            print(f"{done} of {update.summary.total} batches", end="\r", flush=True)
        successes, failures = orchestration.results()
        workers = {success.result["worker"] for success in successes}
        print(f"{successes.total('records')} records moved by {len(workers)} workers")
        print(f"{len(failures or [])} batches failed, {len(list(target.glob('*.json')))} files written")


def _generate(folder: Path, records: int) -> None:
    for number in range(records):
        record = {"id": number, "name": f"Ada Customer{number}", "balance": f"{number / 4:.2f} EUR"}
        (folder / f"{number}.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main()
