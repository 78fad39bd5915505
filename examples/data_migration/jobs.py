"""Moves customers from an old shape to a new one; a batch of them is an instance."""

import json
import os
from pathlib import Path

from pydantic import BaseModel

from background_jobs import JobContext, job_name, run_e11_job


class Batch(BaseModel):
    """The params of one instance: which customers, from where to where."""

    ids: list[int]
    source: str
    target: str


class Moved(BaseModel):
    """The result of one instance."""

    records: int
    worker: str
    """Which container moved them."""


class OldCustomer(BaseModel):
    """A record of the old system, in which a name is one field and money is a text."""

    id: int
    name: str
    balance: str


@job_name("migrate")
def migrate(params: Batch, job: JobContext) -> Moved:
    """Write the new record of each customer of the batch."""
    for done, customer in enumerate(params.ids, start=1):
        old = OldCustomer.model_validate_json((Path(params.source) / f"{customer}.json").read_text())
        _write(Path(params.target) / f"{customer}.json", _convert(old))
        job.progress(100 * done / len(params.ids))
    return Moved(records=len(params.ids), worker=str(os.getpid()))


def _convert(old: OldCustomer) -> dict[str, object]:
    first, _, last = old.name.partition(" ")
    amount, currency = old.balance.split()
    return {
        "id": old.id,
        "first_name": first,
        "last_name": last,
        "cents": round(float(amount) * 100),
        "currency": currency,
    }


def _write(path: Path, record: dict[str, object]) -> None:
    """Write the whole file or none: whoever runs a batch twice writes the same records again."""
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(record))
    part.replace(path)


if __name__ == "__main__":
    run_e11_job([migrate])
