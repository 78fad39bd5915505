"""Text that others wrote (params, results, messages, tags, logs), made safe for a terminal."""

import json
import re
from typing import Any, Final

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_MARK: Final = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return *text* without colours, and a mark for characters that control a terminal or are invisible.

    Line breaks and tabs stay with *lines*, and become spaces without.

    >>> printable("\x1b[31mred\x1b[0m\talert\x07")
    'red alert�'
    """
    return "".join(_replace_unsafe(character, lines=lines) for character in _COLOUR.sub("", text))


def printable_json(value: Any) -> str:  # noqa: ANN401 -- any JSON
    """Return *value* as one line of JSON that is safe for a terminal."""
    return printable(json.dumps(value, ensure_ascii=False))


def safe_json(document: str) -> str:
    r"""Return a JSON document that says the same, and is safe for a terminal and for the reader of a log.

    Characters that control a terminal or the direction of text, or are invisible, are escaped.

    >>> safe_json('["Zoë \x9b2J \u202e"]')
    '["Zoë \\u009b2J \\u202e"]'
    """
    if document.replace("\n", "").isprintable():
        return document
    return "".join(map(_escape_unsafe, document))


def _escape_unsafe(character: str) -> str:
    # Line breaks are between the parts of a document; JSON escapes those within a string itself.
    return character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]


def _replace_unsafe(character: str, *, lines: bool) -> str:
    if character.isprintable():
        return character
    if character in "\n\t":
        return character if lines else " "
    return " " if character.isspace() else _MARK
