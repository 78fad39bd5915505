"""The parts of a document that a command writes, between ``<!-- name -->`` and ``<!-- end -->``."""

import re


def put_part(text: str, name: str, part: str) -> str:
    """Return a document with *part* in its place. Raises ValueError if it has none."""
    place = re.compile(rf"(<!-- {name} -->\n).*?(?=<!-- end -->)", flags=re.DOTALL)
    if not place.search(text):
        raise ValueError(f"The document has no place for the part {name!r}.")
    return place.sub(lambda found: f"{found[1]}{part}\n", text)
