"""A server that loads the application before it forks: its children read with the stores of the parent.

The exit status says how many of the children got a wrong answer, or none.
"""

import os
import sys

from background_jobs.aws.stores import Stores
from tests.memory import SETTINGS

CHILDREN, READS = 4, 25


def read_services(stores: Stores, caller: str) -> None:
    """Raise where an answer belongs to another question; the server names each service after its orchestration."""
    for number in range(READS):
        orchestration_id = f"{caller}-{number}"
        assert stores.service_lookup.find(orchestration_id) == f"service-of-{orchestration_id}"


def fork(stores: Stores, caller: str) -> int:
    if child := os.fork():
        return child
    status = 1
    try:
        read_services(stores, caller)
        status = 0
    finally:
        os._exit(status)


def main() -> int:
    stores = Stores.of(SETTINGS)
    read_services(stores, "parent")
    children = [fork(stores, f"child{number}") for number in range(CHILDREN)]
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main())
