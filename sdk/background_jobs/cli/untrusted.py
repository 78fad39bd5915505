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
    text = _COLOUR.sub("", text) if "\x1b" in text else text
    unsafe = [] if text.isprintable() else [one for one in set(text) if not one.isprintable()]
    # One table for the text is far faster than a look at each character: a log may have 200 MB of them.
    return text.translate({ord(one): _replace_unsafe(one, lines=lines) for one in unsafe})


def printable_json(value: Any) -> str:  # noqa: ANN401 -- any JSON
    """Return *value* as one line of JSON that is safe for a terminal."""
    return printable(json.dumps(value, ensure_ascii=False))


def safe_json(document: str, encoding: str | None = "utf-8") -> str:
    r"""Return a JSON document that says the same, and is safe for a terminal and for the reader of a log.

    Characters that control a terminal or the direction of text, that are invisible, or that *encoding* may
    not have are escaped.

    >>> safe_json('["Zoë \x9b2J \u202e"]')
    '["Zoë \\u009b2J \\u202e"]'
    >>> safe_json('["Zoë"]', "ascii")
    '["Zo\\u00eb"]'
    """
    has_all = (encoding or "ascii").lower().replace("-", "").startswith("utf")
    if document.replace("\n", "").isprintable() and (has_all or document.isascii()):
        return document
    return document.translate({ord(one): _escape_unsafe(one, has_all=has_all) for one in set(document)})


def _escape_unsafe(character: str, *, has_all: bool) -> str:
    # Line breaks are between the parts of a document; JSON escapes those within a string itself.
    is_safe = (character.isprintable() and (has_all or character.isascii())) or character == "\n"
    return character if is_safe else json.dumps(character)[1:-1]


def _replace_unsafe(character: str, *, lines: bool) -> str:
    if character in "\n\t":
        return character if lines else " "
    return " " if character.isspace() else _MARK
