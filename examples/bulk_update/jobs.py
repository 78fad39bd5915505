"""Sets new prices; a batch of products is an instance, and says what it has changed."""

from pydantic import BaseModel

from background_jobs import job_name, run_e11_job


class Product(BaseModel):
    """A product as the caller hands it over."""

    sku: str
    cents: int


class Batch(BaseModel):
    """The params of one instance."""

    products: list[Product]
    percent: int
    """By how much prices rise."""


class Change(BaseModel):
    """The result of one instance; the caller adds them up."""

    updated: int
    unchanged: int
    cents: int
    """By how much all prices together have risen."""


@job_name("raise_prices")
def raise_prices(params: Batch) -> Change:
    """Return what has changed; a real one would write the prices to a table, by their keys."""
    rises = [product.cents * params.percent // 100 for product in params.products]
    return Change(
        updated=sum(rise > 0 for rise in rises), unchanged=sum(rise == 0 for rise in rises), cents=sum(rises)
    )


if __name__ == "__main__":
    run_e11_job([raise_prices])
