"""A web page of one's own: it kicks off a report, shows how far it is, and then the report."""

from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from sse_starlette import EventSourceResponse

from background_jobs.aio import OrchestrationService

app = FastAPI()


@app.get("/")
async def show_page() -> FileResponse:
    """Return the page."""
    return FileResponse(Path(__file__).with_name("page.html"))


@app.post("/reports")
async def start_report(region: str) -> dict[str, str]:
    """Kick off a report with a section for each month."""
    sections = [{"region": region, "month": month} for month in range(1, 13)]
    orchestration = await OrchestrationService().kick_off_job(
        "write_section", sections, tags={"customer": region}
    )
    return {"id": orchestration.id}


@app.get("/reports/{orchestration_id}/progress")
async def stream_progress(orchestration_id: str) -> EventSourceResponse:
    """Stream how far a report is, as server-sent events, to the last one."""

    async def read() -> AsyncIterator[dict[str, str]]:
        orchestration = await OrchestrationService().orchestration(orchestration_id)
        async for update in orchestration.watch():
            yield {"event": "progress", "data": update.summary.model_dump_json()}
        yield {"event": "done", "data": ""}

    return EventSourceResponse(read())


@app.get("/reports/{orchestration_id}")
async def read_report(orchestration_id: str) -> dict[str, object]:
    """Return a report that is done."""
    orchestration = await OrchestrationService().orchestration(orchestration_id)
    successes, failures = await orchestration.results()
    return {
        "sections": [success.result for success in successes],
        "revenue": successes.total("revenue"),
        "missing": [failure.params for failure in failures or []],
    }
