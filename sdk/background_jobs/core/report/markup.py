"""Builds HTML and SVG; whatever is not markup of ours becomes text, so what others wrote cannot run."""

from html import escape
from typing import Final

_VOID: Final = frozenset({"meta"})
_MARK: Final = "\N{REPLACEMENT CHARACTER}"
_KEPT: Final = frozenset("\n\t")


class Markup(str):
    """HTML that `element` has made."""

    __slots__ = ()


Child = str | None
"""Markup stays as it is, other text is escaped, and None is left out."""


def element(tag: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """Return an element; attributes that are None are left out, and underscores in their names are hyphens.

    >>> element("p", "a < b", element("b", "!"), class_="note", aria_label=None)
    '<p class="note">a &lt; b<b>!</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(readable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    start = f"<{tag}{written}>"
    return Markup(start if tag in _VOID else f"{start}{join(*children)}</{tag}>")


def join(*children: Child) -> Markup:
    """Return *children* one after the other.

    >>> join(Markup("<br>"), None, "<br>")
    '<br>&lt;br&gt;'
    """
    return Markup("".join(map(_write, children)))


def readable(text: str) -> str:
    r"""Return *text* with a mark for characters that are invisible, or turn the direction of text.

    >>> readable("a\x00b\n")
    'a�b\n'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in _KEPT or character.isspace() else _MARK
        for character in text
    )


def _write(child: Child) -> str:
    if child is None or isinstance(child, Markup):
        return child or ""
    return escape(readable(child), quote=False)
