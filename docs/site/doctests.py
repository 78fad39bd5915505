"""What the reference shows of docstrings: their examples (``>>>``) as blocks of code."""

import re
from typing import Final

from griffe import Extension, Object

_EXAMPLE: Final = re.compile(r"^>>> .*(?:\n.+)*", flags=re.MULTILINE)
"""The lines of an example and of what it prints, up to the next empty one."""


class Doctests(Extension):
    """Fences the examples of docstrings; Markdown would take them for quotations."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Fence those of one object."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(
                lambda found: f"```pycon\n{found.group()}\n```", obj.docstring.value
            )
