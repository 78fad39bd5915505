"""The stream of an orchestration: server-sent events that resume, and end by themselves.

`GET /orchestrations/{id}/events` is for clients that send headers, and `GET /streams?token=...` for those
that cannot, such as the EventSource of a browser. They ask for a token before each connection of their own.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field
from sse_starlette import EventSourceResponse

from background_jobs.core.stream_tokens import TOKEN_CHARACTERS
from background_jobs.core.views import stream_events
from background_jobs.progress_api.callers import Caller, RequestCaller, caller_of_stream
from background_jobs.progress_api.event_encoding import Heartbeat
from background_jobs.progress_api.hub import Position
from background_jobs.progress_api.models import OrchestrationId, locate
from background_jobs.progress_api.problems import Responses

router = APIRouter(tags=["orchestrations"])

STREAMS: Final = "/streams"
"""The route that API Gateway lets through without a signature or a token of its own."""
SEND_SECONDS: Final = 60
"""How long a client may take nothing before its connection is given up."""
_RESPONSES: Final[Responses] = {
    200: {
        "description": "The events: `snapshot` first, then `transitions` and `progress` as they come, "
        "`completed` at the end, and now and then a `heartbeat`. "
        "The id of an event is a version, to be sent back as Last-Event-ID.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "Everything was sent before; do not come back."},
}
_log = logging.getLogger(__name__)

LastEventId = Annotated[
    str | None, Header(description="The id of the last event received, to resume after it.")
]


class StreamToken(BaseModel):
    """What opens the stream of one orchestration, for a minute, without any header."""

    token: str
    url: str = Field(description="The address of the stream, relative to the root of the API.")
    expires_at: AwareDatetime = Field(description="Until then the stream can be opened; open ones go on.")


@router.get(
    "/orchestrations/{orchestration_id}/events", response_class=EventSourceResponse, responses=_RESPONSES
)
async def watch_orchestration(
    orchestration_id: OrchestrationId,
    request: Request,
    caller: RequestCaller,
    last_event_id: LastEventId = None,
) -> Response:
    """Stream what happens to an orchestration, from now or from where the last connection ended."""
    return await _stream(request, caller, orchestration_id, last_event_id)


@router.post("/orchestrations/{orchestration_id}/stream-tokens", status_code=201)
def create_stream_token(
    orchestration_id: OrchestrationId, caller: RequestCaller, request: Request, response: Response
) -> StreamToken:
    """Return a token that opens this stream within a minute, for EventSource, which sends no headers.

    A browser connects again by itself, which is refused once the token has expired: ask for another then, and
    open its stream with `last_event_id`.
    """
    caller.orchestration(orchestration_id).summary()
    token, grant = request.app.state.stream_tokens.issue(orchestration_id, caller.name, datetime.now(UTC))
    url = f"{STREAMS.removeprefix('/')}?token={token}"
    response.headers["location"] = locate(request, url)
    response.headers["cache-control"] = "no-store"
    return StreamToken(token=token, url=url, expires_at=grant.expires_at)


@router.get(
    STREAMS,
    response_class=EventSourceResponse,
    responses=_RESPONSES,
)
async def watch_with_token(
    request: Request,
    token: Annotated[str, Query(max_length=TOKEN_CHARACTERS, description="That of a stream token.")],
    last_event_id: LastEventId = None,
    resume_after: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            max_length=64,
            description="The same as the header, for a client that opens the stream anew; the header counts "
            "before it.",
        ),
    ] = None,
) -> Response:
    """Stream what happens to the orchestration that the token is for."""
    tokens = request.app.state.stream_tokens
    grant = await asyncio.to_thread(tokens.open, token, datetime.now(UTC))
    _log.info("Stream of %s opened by %s", grant.orchestration_id, grant.caller or "a caller without name")
    caller = caller_of_stream(request)
    return await _stream(request, caller, grant.orchestration_id, last_event_id or resume_after)


async def _stream(
    request: Request, caller: Caller, orchestration_id: str, last_event_id: str | None
) -> Response:
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
