"""The site of the documents: the pages that are made from the code, and links that lead out of it."""

import re
import sys
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

import reference

_UPWARD: Final = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)#]+)(?:#[^)]*)?\)")
_LIMITS: Final = "<!-- limits -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code, and the list of decisions."""
    for name, content in reference.write_pages().items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Name what lies outside of the site in place of a link to it, and put the limits where they belong."""
    depth = page.file.src_uri.count("/")

    def name(link: re.Match[str]) -> str:
        text, upward, path = link.groups()
        return f"{text} (`{path}`)" if upward.count("..") > depth else link[0]

    return _UPWARD.sub(name, markdown).replace(_LIMITS, reference.write_main_limits())
