"""Reading all of an orchestration for its report."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from background_jobs.aws.stores import Stores
from background_jobs.core.errors import PayloadNotFound
from background_jobs.core.report.content import EXAMPLES, ReportContent
from background_jobs.core.report.page import write_report
from background_jobs.core.statuses import CHUNKS, StatusChunk
from background_jobs.core.views.causes import FailureDigest
from background_jobs.core.views.comparison import Comparison
from background_jobs.core.views.instances import InstanceDetail
from background_jobs.orchestration_service.containers import read_containers

if TYPE_CHECKING:
    from background_jobs.orchestration_service.orchestration import Orchestration


def read_report(orchestration: "Orchestration", stores: Stores) -> str:
    """Return the report of *orchestration* as HTML. Raises OrchestrationNotFound."""
    now = datetime.now(UTC)
    digest = _read_digest(orchestration)
    content = ReportContent(
        written_at=now,
        version=version("background-job-service"),
        view=orchestration.view(),
        started=stores.event_log.read_started(orchestration.id),
        letters=_read_letters(orchestration.id, stores),
        throughput=orchestration.throughput(),
        digest=digest,
        examples=dict(_read_examples(orchestration, digest)),
        containers=read_containers(orchestration.summary(), stores, now),
        cost=orchestration.cost(),
        history=orchestration.event_history(),
        stages=orchestration.pipeline().view().stages,
        comparison=_read_comparison(orchestration),
    )
    return write_report(content, tokens=_read_tokens(), style=_read_style())


def _read_digest(orchestration: "Orchestration") -> FailureDigest | None:
    with suppress(PayloadNotFound):
        return orchestration.digest()
    return None


def _read_examples(
    orchestration: "Orchestration", digest: FailureDigest | None
) -> Iterator[tuple[int, InstanceDetail]]:
    """Yield the first instance of each of the most frequent causes, with its index."""
    for cause in digest.causes[:EXAMPLES] if digest else []:
        with suppress(PayloadNotFound):
            yield cause.indices[0], orchestration.instance(cause.indices[0])


def _read_comparison(orchestration: "Orchestration") -> Comparison | None:
    if not orchestration.view().rerun_only:
        return None
    with suppress(PayloadNotFound):
        return orchestration.compare()
    return None


def _read_letters(orchestration_id: str, stores: Stores) -> str:
    model = stores.read_model.read_snapshot(orchestration_id)
    total = model.summary.total or 0
    chunks = (model.chunks.get(number, StatusChunk()).letters() for number in range(CHUNKS.count(total)))
    return "".join(chunks)[:total]


@cache
def _read_tokens() -> str:
    """Return the colours of the console, which its style sheet begins with."""
    sheet = files("background_jobs") / "progress_api" / "console" / "static" / "console.css"
    tokens, end, _ = sheet.read_text(encoding="utf-8").partition("}")
    return tokens + end


@cache
def _read_style() -> str:
    return (files("background_jobs") / "core" / "report" / "style.css").read_text(encoding="utf-8")
