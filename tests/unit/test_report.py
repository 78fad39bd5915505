"""The pictures of a report, and its size, which does not grow with an orchestration beyond a bound."""

from datetime import date
from typing import Any, Final

from background_jobs.core.events import JobError
from background_jobs.core.limits import PAGE
from background_jobs.core.read_model import Summary
from background_jobs.core.report.content import EXAMPLES, ReportContent
from background_jobs.core.report.page import write_report
from background_jobs.core.report.pictures import MOST_CELLS, draw_grid, draw_throughput
from background_jobs.core.views.causes import Cause, FailureDigest
from background_jobs.core.views.containers import ContainerState, ContainerView
from background_jobs.core.views.cost import Cost
from background_jobs.core.views.event_history import EventHistory, TimelineEntry
from background_jobs.core.views.instances import InstanceDetail, InstanceView
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.throughput import Throughput
from tests.unit.histories import ORCHESTRATION_ID, at, started

MOST_BYTES: Final = 2_000_000
NASTY: Final = "<&"
"""Each character of it takes four or five in HTML."""


def detail(index: int) -> InstanceDetail:
    error = JobError(type="E", message=NASTY * 1_000, traceback=NASTY * 4_000)
    view = InstanceView.of(ORCHESTRATION_ID, index, 15)
    return InstanceDetail(instance=view, params={"text": NASTY * 100_000}, error=error, log="", events=[])


def launch(share: int, state: ContainerState = ContainerState.ENDED) -> ContainerView:
    return ContainerView(
        share=share,
        launch=0,
        first=share,
        last=share,
        state=state,
        status=0,
        reason=NASTY * 250,
        delay="",
        started_at=at(1),
        ended_at=at(50),
        warm=False,
        cpu=None,
        memory_mib=None,
        capacity_provider="",
        log="",
    )


def content(total: int, *, causes: int = 0, launches: int = 1) -> ReportContent:
    """An orchestration as large as it may be, whose texts are as long as they may be."""
    names = [f"E{'x' * number}"[:500] for number in range(causes)]
    digest = FailureDigest(
        total=total,
        failed=total,
        causes=[
            Cause(
                cause_id=f"{number:012d}",
                type=name,
                message=NASTY * 500,
                place="jobs.py:1 in run",
                count=2,
                indices=[number],
            )
            for number, name in enumerate(names)
        ],
        more_causes=0,
    )
    summary = Summary(
        orchestration_id=ORCHESTRATION_ID,
        job_name="census",
        service="default",
        total=total,
        completed=total - causes,
        errored=causes,
        tags={"text": NASTY * 2_000},
        started_at=at(0),
        first_job_at=at(1),
        last_outcome_at=at(99),
        completed_at=at(100),
    )
    timeline = [TimelineEntry(at=at(0), type="ShareDelayed", detail=NASTY * 500)] * (3 * launches)
    history = EventHistory(
        timeline=timeline,
        launches=[],
        lost=0,
        container_seconds=0,
        cpu=None,
        memory_mib=None,
        capacity_provider="",
        task_definitions=[],
        failed_attempts=0,
        waits=[],
    )
    cost = Cost(
        lines=(),
        region="us-east-1",
        prices_as_of=date(2026, 3, 31),
        containers=launches,
        container_seconds=1,
        sizes=[],
        is_final=True,
        is_offline=False,
    )
    return ReportContent(
        written_at=at(200),
        version="1",
        view=OrchestrationView.of(summary, at(200)),
        started=started(total),
        # no two neighbours are alike, so no two cells are drawn as one
        letters=("CE" * total)[:total],
        throughput=throughput(list(range(240)), list(range(240))),
        digest=digest,
        examples={number: detail(number) for number in range(min(causes, EXAMPLES))},
        containers=[launch(share) for share in range(launches - 1)] + [launch(launches, ContainerState.LOST)],
        cost=cost,
        history=history,
        stages=[],
        comparison=None,
    )


def throughput(completed: list[int], errored: list[int]) -> Throughput:
    return Throughput(version=1, began_at=at(0), bucket_seconds=0.5, completed=completed, errored=errored)


def write(report: ReportContent) -> str:
    return write_report(report, tokens=":root {}", style="")


def test_a_report_of_ten_thousand_instances_with_the_worst_texts_stays_below_two_megabytes() -> None:
    page = write(content(10_000, causes=PAGE, launches=10_000))
    assert len(page.encode()) < MOST_BYTES
    # and every cause is in it
    assert page.count("<article>") == PAGE


def test_a_report_of_a_million_instances_is_as_small() -> None:
    assert len(write(content(1_000_000)).encode()) < MOST_BYTES


def test_lost_launches_are_shown_before_those_that_ended_well() -> None:
    page = write(content(10, launches=5_000))
    assert "100 of 5,000 launches are drawn, those first that were lost or failed." in page
    assert "share 5000" in page


def test_a_grid_says_in_words_what_it_shows_and_where_a_cell_is_several_instances() -> None:
    few = draw_grid("CCErbw")
    assert few is not None
    assert "1 waiting, 1 running, 1 backing off, 2 Completed, 1 Errored." in few
    many = draw_grid("C" * (3 * MOST_CELLS - 1) + "E")
    assert many is not None
    assert "A cell is 3 instances, and shows the worst of them." in many
    assert draw_grid("") is None


def test_a_throughput_of_one_bucket_is_drawn_and_one_without_outcomes_is_not() -> None:
    drawn: Any = draw_throughput(throughput([3], [1]))
    assert "Outcomes over time: 4 in 0.5 s, 1 of them errored" in drawn
    assert draw_throughput(throughput([0], [0])) is None
