"""Raises the prices of thousands of products, and adds up what has changed."""

import argparse
from collections.abc import Iterator

from background_jobs import OrchestrationService, batched


def main() -> None:
    """Update as many products as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=50_000)
    options = parser.parse_args()
    orchestration = OrchestrationService().kick_off_job(
        "raise_prices",
        batched(read_products(options.products), 250, "products", percent=3),
        tags={"customer": "shop"},
    )
    successes, failures = orchestration.results()
    print(f"{successes.total('updated')} prices raised by {successes.total('cents') / 100:.2f} in all")
    print(f"{successes.total('unchanged')} are too low to rise, {len(failures or [])} batches failed")


def read_products(count: int) -> Iterator[dict[str, object]]:
    """Yield products one by one, as a query's cursor would."""
    for number in range(count):
        yield {"sku": f"sku-{number}", "cents": number % 500}


if __name__ == "__main__":
    main()
