"""What a notebook shows of an orchestration, and what its asynchronous results offer."""

import asyncio
import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from background_jobs import OrchestrationService, OrchestrationStatus, aio
from background_jobs.orchestration_service.job_results import Failures
from background_jobs.settings import Settings


def test_an_orchestration_links_to_its_page(done: str, settings: Settings) -> None:
    with_console = OrchestrationService(settings.model_copy(update={"api_url": "https://api"}))

    html = with_console.orchestration(done)._repr_html_() or ""

    assert f'href="https://api/#/orchestrations/{done}"' in html
    assert "4 of 4 instances" in html
    assert "<td>Errored</td>" in html


def test_an_orchestration_that_cannot_be_read_has_its_repr_alone(
    done: str, service: OrchestrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    orchestration = service.orchestration(done)
    monkeypatch.setattr(orchestration, "view", lambda: 1 / 0)

    assert orchestration._repr_html_() is None


def test_progress_ends_by_itself_and_draws_nothing_where_nobody_looks(
    done: str, service: OrchestrationService, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = service.orchestration(done).progress(timeout=30)

    assert (summary.completed, summary.errored) == (2, 2)
    assert capfd.readouterr().err == ""


def test_what_can_be_done_about_asynchronous_failures_leaves_the_event_loop_alone(
    done: str, settings: Settings, tmp_path: Path
) -> None:
    threads: list[int] = []

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            threads.append(threading.get_ident())
            return method(*arguments, **keywords)

        return call

    async def use() -> aio.Orchestration:
        results = await aio.OrchestrationService(settings).get_job_results(done)
        assert results.failures is not None
        assert (await results.failures.digest()).failed == 2
        again = await results.failures.rerun(parallelism=1)
        assert len(await results.to_pandas()) == 4
        await results.to_jsonl(tmp_path / "r.jsonl")
        await results.to_parquet(tmp_path / "r.parquet")
        return again

    with patch.multiple(Failures, rerun=noting(Failures.rerun), digest=noting(Failures.digest)):
        again = asyncio.run(use())

    assert threading.get_ident() not in threads
    assert (
        OrchestrationService(settings).orchestration(again.id).summary().status
        is OrchestrationStatus.IN_PROGRESS
    )
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 4


def test_progress_draws_nothing_where_standard_error_is_closed(
    service: OrchestrationService, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with io.StringIO() as closed:
        monkeypatch.setattr(sys, "stderr", closed)
    assert service.orchestration(done).progress(timeout=30).done
