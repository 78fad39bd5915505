"""Jobs that are loaded again before the emulator answers for them, and those who wait for that."""

import asyncio
import threading
from collections.abc import Sequence

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from background_jobs.core.job_descriptions import JobDescription, descriptions_key
from background_jobs.local_stack import fresh_catalog
from background_jobs.local_stack.fresh_catalog import FreshCatalog


def test_a_service_whose_jobs_do_not_come_is_refused_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a service whose main hangs, which several ask for, and one that is well
    monkeypatch.setattr(fresh_catalog, "_PATIENCE_SECONDS", 0.2)
    goes_on = threading.Event()

    def reload(service: str) -> Sequence[JobDescription] | None:
        if service == "hanging":
            assert goes_on.wait(60)
        return None

    async def ask() -> list[httpx2.Response]:
        app = FreshCatalog(PlainTextResponse("jobs"), reload)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://stack") as client:
            paths = [f"/payloads/{descriptions_key(name)}" for name in ("hanging", "hanging", "healthy")]
            answers = await asyncio.gather(*map(client.get, paths))
            goes_on.set()
            return [*answers, await client.get(paths[0])]

    # then they are told so, and nobody else waits; once it goes on, it answers
    first, second, healthy, later = asyncio.run(ask())
    for refused in (first, second):
        assert refused.status_code == 409
        assert "The jobs of service 'hanging' were edited" in refused.text
        assert "they are still being loaded" in refused.text
    assert (healthy.status_code, healthy.text) == (200, "jobs")
    assert later.status_code == 200
