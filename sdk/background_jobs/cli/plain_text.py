"""Plain characters in place of those that an output cannot encode, such as that of ``LC_ALL=C``."""

import codecs
from typing import Final

PLAIN: Final = "background_jobs.plain"
"""The name of the error handler, for `errors=` of a stream."""
_MARKS: Final = {"✓": "+", "✗": "x", "→": "->", "…": "...", "━": "#", "─": "=", "╌": "-"}


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_MARKS.get(character, "?") for character in characters), error.end


codecs.register_error(PLAIN, _replace)
