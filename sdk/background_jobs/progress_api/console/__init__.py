"""The console and the page of the API: web pages, served by the application that they ask."""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FILES: Final = Path(__file__).parent / "static"
_ADDRESS: Final = "console/"
"""Where the pages say that the files are."""
_VERSION: Final = "[0-9a-f]{16}"
_ASK_EACH_TIME: Final = {"cache-control": "no-cache"}
_KEEP: Final = {"cache-control": "public, max-age=31536000, immutable"}
router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> HTMLResponse:
    """Return the page; its addresses are relative, so that it works below any path."""
    return _page(FILES / "index.html")


@router.get("/console")
def named_index() -> HTMLResponse:
    """Return the page under an address that ends in no slash, which API Gateway may drop."""
    return index()


@router.get("/docs")
def reference() -> HTMLResponse:
    """Return the page that shows the OpenAPI document."""
    return _page(FILES / "reference" / "index.html")


def _page(path: Path) -> HTMLResponse:
    """Return a page that asks for the files of this version, so that those of two never meet in one page."""
    page = path.read_text(encoding="utf-8").replace(f'"{_ADDRESS}', f'"{_ADDRESS}{current_version()}/')
    return HTMLResponse(page, headers=_ASK_EACH_TIME)


def current_version() -> str:
    """Return what names the files as they are now: 16 hexadecimal digits, made of all that is in them."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder, name) for folder, _, names in os.walk(FILES) for name in names):
        content = path.read_bytes()
        digest.update(b"%a %d " % (path.relative_to(FILES).as_posix(), len(content)) + content)
    return digest.hexdigest()[:16]


class _VersionedFiles(StaticFiles):
    """Files below their version, which browsers keep, or below none.

    A page of before or after a deployment asks for another version: it gets what there is, for once.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        version, _, file = path.partition(os.sep)
        is_versioned = re.fullmatch(_VERSION, version) is not None
        response = await super().get_response(file if is_versioned else path, scope)
        response.headers.update(_KEEP if is_versioned and version == current_version() else _ASK_EACH_TIME)
        return response


router.routes.append(Mount("/console", _VersionedFiles(directory=FILES), name="console"))
