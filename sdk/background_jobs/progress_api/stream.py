"""`GET /orchestrations/{id}/events`: server-sent events that resume, and end by themselves."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from sse_starlette import EventSourceResponse

from background_jobs.core.views import stream_events
from background_jobs.progress_api.callers import RequestCaller
from background_jobs.progress_api.event_encoding import Heartbeat
from background_jobs.progress_api.hub import Position
from background_jobs.progress_api.models import OrchestrationId

router = APIRouter(tags=["orchestrations"])

SEND_SECONDS: Final = 60
"""How long a client may take nothing before its connection is given up."""
_RESPONSES: Final = {
    200: {
        "description": "The events: `snapshot` first, then `transitions` and `progress` as they come, "
        "`completed` at the end, and now and then a `heartbeat`. "
        "The id of an event is a version, to be sent back as Last-Event-ID.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "Everything was sent before; do not come back."},
}


@router.get(
    "/orchestrations/{orchestration_id}/events",
    response_class=EventSourceResponse,
    responses=_RESPONSES,  # type: ignore[arg-type] # FastAPI's type is wider than it needs
)
async def events(
    orchestration_id: OrchestrationId,
    request: Request,
    caller: RequestCaller,
    last_event_id: Annotated[
        str | None, Header(description="The id of the last event received, to resume after it.")
    ] = None,
) -> Response:
    """Stream what happens to an orchestration, from now or from where the last connection ended."""
    hub = request.app.state.hub
    summary = await asyncio.to_thread(lambda: caller.orchestration(orchestration_id).summary())
    position = Position.of(last_event_id or "")
    if position is not None and position.version > summary.version:
        # The read model was lost and rebuilt since, or the client made the id up.
        position = None
    if position == (summary.version, False) and summary.done:
        return Response(status_code=204)
    return EventSourceResponse(
        hub.events(orchestration_id, position),
        ping=stream_events.HEARTBEAT_SECONDS,
        send_timeout=SEND_SECONDS,
        ping_message_factory=lambda: Heartbeat(hub.padding),
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )
