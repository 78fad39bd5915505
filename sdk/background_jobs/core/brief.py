"""Values of any size in a few characters, for people."""

from reprlib import Repr
from typing import Any, Final

_MOST: Final = 300
"""The characters of a value; what is nested is cut long before."""


class _Brief(Repr):
    """Cuts what is long; the order of a dict is kept, for it is that of the params."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist, self.maxtuple = 3, 8, 5, 5
        self.maxstring = self.maxother = 80

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"
        first = list(x)[: self.maxdict]
        parts = [f"{self.repr1(key, level - 1)}: {self.repr1(x[key], level - 1)}" for key in first]
        return f"{{{', '.join(parts + ['...'] * (len(x) > len(first)))}}}"


_BRIEF: Final = _Brief()


def brief(value: object) -> str:
    """Return the repr of *value*, with three dots for what is cut out of it.

    >>> brief({"n": 2, "rows": list(range(1_000))})
    "{'n': 2, 'rows': [0, 1, 2, 3, 4, ...]}"
    """
    text = _BRIEF.repr(value)
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
