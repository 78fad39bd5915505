"""Three stages of one pipeline: orders are read, priced, and put together into invoices."""

from dataclasses import dataclass

from background_jobs import job_name, run_e11_job


@dataclass
class Day:
    """The params of the first stage."""

    day: int


@dataclass
class Order:
    """What the second stage gets: the results of the first, one each."""

    day: int
    pieces: int


@dataclass
class Priced:
    """What the third stage gets."""

    day: int
    cents: int


@job_name("extract")
def extract(params: Day) -> Order:
    """Read the orders of a day; a real one would ask a database."""
    return Order(params.day, pieces=10 + params.day)


@job_name("price")
def price(params: Order) -> Priced:
    """Price them."""
    return Priced(params.day, cents=params.pieces * 250)


@job_name("invoice")
def invoice(params: Priced) -> str:
    """Write an invoice."""
    return f"invoice-{params.day:02d}-{params.cents}"


if __name__ == "__main__":
    run_e11_job([extract, price, invoice])
