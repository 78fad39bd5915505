"""The console: a web page, served by the application that it asks."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

_FILES: Final = Path(__file__).parent / "static"
router = APIRouter(include_in_schema=False)


@router.get("/")
def index() -> FileResponse:
    """Return the page."""
    return FileResponse(_FILES / "index.html", headers={"cache-control": "no-cache"})


router.routes.append(Mount("/console", StaticFiles(directory=_FILES), name="console"))
