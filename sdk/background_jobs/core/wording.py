"""How sentences for people say things."""


def count_of(number: int, thing: str) -> str:
    """Return how many there are of *thing*, whose plural takes an s.

    >>> count_of(1, "instance"), count_of(0, "share"), count_of(12_000, "cause")
    ('1 instance', '0 shares', '12,000 causes')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
