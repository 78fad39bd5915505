"""Who asks, and what they may do: what the console shows of itself."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from background_jobs.progress_api.callers import RequestCaller

router = APIRouter(include_in_schema=False)


class SessionView(BaseModel):
    """Who is at the console."""

    name: str
    may_change: bool
    """Whether there is anything that they may kick off or change."""
    signs_in: bool
    """Whether there is a way to sign out."""


@router.get("/session")
def read_session(request: Request, caller: RequestCaller) -> SessionView:
    """Return who asks."""
    return SessionView(
        name=caller.name,
        may_change=caller.access.writable != frozenset(),
        signs_in=request.app.state.sign_in is not None,
    )
