"""How sentences for people say things."""


def count_of(number: int, thing: str) -> str:
    """Return how many there are of *thing*, whose plural takes an s.

    >>> count_of(1, "instance"), count_of(0, "share"), count_of(12_000, "cause")
    ('1 instance', '0 shares', '12,000 causes')
    """
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def as_sentence(text: str) -> str:
    """Return *text*, which others wrote, so that another sentence can follow it.

    >>> as_sentence("Requested resource not found"), as_sentence("It is gone.")
    ('Requested resource not found.', 'It is gone.')
    """
    return f"{text.rstrip().rstrip('.')}."
