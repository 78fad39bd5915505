"""The console and the page of the API: web pages, served by the application that they ask."""

from os import PathLike, stat_result
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FILES: Final = Path(__file__).parent / "static"
_HEADERS: Final = {"cache-control": "no-cache"}
"""A browser asks each time, and mostly gets 304, so that scripts of two versions never meet in one page."""
router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> FileResponse:
    """Return the page; its addresses are relative, so that it works below any path."""
    return FileResponse(FILES / "index.html", headers=_HEADERS)


@router.get("/console")
def named_index() -> FileResponse:
    """Return the page under an address that ends in no slash, which API Gateway may drop."""
    return index()


@router.get("/docs")
def reference() -> FileResponse:
    """Return the page that shows the OpenAPI document."""
    return FileResponse(FILES / "reference" / "index.html", headers=_HEADERS)


class _StaticFiles(StaticFiles):
    def file_response(
        self, full_path: "str | PathLike[str]", stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response


router.routes.append(Mount("/console", _StaticFiles(directory=FILES), name="console"))
