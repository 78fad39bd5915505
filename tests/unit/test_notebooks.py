"""What notebooks show of orchestrations and outcomes, and the tables and files that results become."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from background_jobs import Failure, JobError, JobResults, LibraryNotInstalled, Success, Summary
from background_jobs.core.views.causes import Cause, CommonParam, FailureDigest
from background_jobs.core.views.notebook import orchestration_html
from background_jobs.core.views.orchestration import OrchestrationView
from background_jobs.core.views.outcomes import SuccessView
from background_jobs.orchestration_service.job_results import Failures, Successes

AT = datetime(2026, 11, 23, 3, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
NO_ORCHESTRATION: Any = None


def common(index: int, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "orchestration_id": "7c0e1f5a-6e0a-4d0e-9d58-0a9e6a1f4b11",
        "job_name": "report",
        "job_id": f"job-{index}",
        "index": index,
        "params": params,
        "attempts": 1,
        "started_at": AT,
        "ended_at": AT + timedelta(seconds=1.5),
    }


def success(index: int, result: Any = "good", **params: Any) -> Success:
    return Success(**common(index, params), result_json=result)


def failure(index: int, message: str = "bad", **params: Any) -> Failure:
    error = JobError(type="ValueError", message=message, traceback="")
    return Failure(**common(index, params), error=error, failed_attempts=(), log="")


def results(*outcomes: Success | Failure) -> JobResults:
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    successes = Successes(outcome for outcome in outcomes if isinstance(outcome, Success))
    return JobResults(successes, Failures(failures, NO_ORCHESTRATION) if failures else None)


def test_the_repr_of_results_does_not_grow_with_them() -> None:
    large: dict[str, Any] = {
        "rows": list(range(100_000)),
        "text": "x" * 100_000,
        "deep": {"a": {"b": {"c": {"d": 1}}}},
    }
    many = results(*(success(n, large, **large) for n in range(400)), *(failure(n) for n in range(400, 415)))

    assert repr(many).startswith("JobResults(successes=<Successes: 400 instances, the first of them Success(")
    assert "failures=<Failures: 15 instances" in repr(many)
    assert len(repr(many)) < 2_000
    assert len(repr(many.successes[0])) < 1_000
    assert len(str(failure(0, "bad", **large).exception())) < 1_000
    assert len(many._repr_html_()) < 20_000


def test_small_outcomes_are_shown_whole_and_params_keep_their_order() -> None:
    assert repr(success(3, {"total": 2}, n=2, customer="acme")) == (
        "Success(index=3, params={'n': 2, 'customer': 'acme'}, result={'total': 2})"
    )
    assert repr(failure(4, n=2)) == "Failure(index=4, params={'n': 2}, error='ValueError: bad')"
    assert repr(results()) == "JobResults(successes=<Successes: 0 instances>, failures=None)"


def test_hostile_text_is_text() -> None:
    digest = FailureDigest(
        total=2,
        failed=1,
        causes=[
            Cause(
                cause_id="0" * 12,
                type=HOSTILE,
                message=HOSTILE,
                place=HOSTILE,
                count=1,
                indices=[0],
                common=[CommonParam(name=HOSTILE, value=HOSTILE, instances=1)],
            )
        ],
    )
    summary = Summary(orchestration_id=HOSTILE, job_name=HOSTILE, total=2, completed=1)
    view = OrchestrationView.of(summary, AT)
    shown = results(success(0, HOSTILE, p=HOSTILE), failure(1, HOSTILE, **{HOSTILE: 1}))._repr_html_()
    for html in (shown, digest._repr_html_(), orchestration_html(view, f'https://x/"{HOSTILE}')):
        assert "<script" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html


def test_html_shows_the_first_and_counts_the_others() -> None:
    html = results(*(success(n) for n in range(25)), failure(25, n=1))._repr_html_()

    assert html.index("1 errored") < html.index("25 completed")
    assert "and 15 further instances" in html


def test_results_become_a_table_in_the_order_of_the_params() -> None:
    import pandas as pd

    frame = results(success(0, {"total": 5}, n=2), failure(1, n=3), success(2, 7, n=4)).to_pandas()

    assert isinstance(frame, pd.DataFrame)
    assert list(frame["index"]) == [0, 1, 2]
    assert list(frame["status"]) == ["Completed", "Errored", "Completed"]
    assert list(frame["params.n"]) == [2, 3, 4]
    assert frame["result.total"][0] == 5
    assert frame["result"][2] == 7
    assert frame["error.message"][1] == "bad"
    assert frame["seconds"].sum() == 4.5
    assert str(frame["ended_at"].dt.tz) == "UTC"
    assert list(results().to_pandas().columns)[:2] == ["index", "job_id"]


def test_json_lines_are_those_of_the_command_line(tmp_path: Path) -> None:
    one = success(0, {"ü": "\n"}, n=2)

    results(one, failure(1)).to_jsonl(tmp_path / "r.jsonl")

    first, second = (tmp_path / "r.jsonl").read_text().splitlines()
    assert first == SuccessView.of(one).model_dump_json()
    assert json.loads(second)["error"]["message"] == "bad"


def test_parquet_has_the_table_and_takes_columns_of_any_values(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "r.parquet"
    answer = results(
        success(0, 1, n=2, mixed=1, rows=[1]), success(1, 2, n=3, mixed="a"), success(2, 3, mixed=2**80)
    )

    answer.to_parquet(str(path))

    table = pq.read_table(path).to_pydict()
    assert table["result"] == [1, 2, 3]
    assert table["params.n"] == [2, 3, None]
    assert table["params.mixed"] == ["1", '"a"', str(2**80)]
    assert table["params.rows"] == ["[1]", None, None]
    assert table["started_at"] == [AT] * 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_there_stays_whole_where_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("before\n")
    monkeypatch.setattr(SuccessView, "model_dump_json", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        results(success(0)).to_jsonl(path)

    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("method", ["to_jsonl", "to_parquet"])
def test_a_link_a_mode_and_a_long_name_stay(method: str, tmp_path: Path) -> None:
    # given a link to a file that few may read, and the longest name
    kept, link, long = tmp_path / "kept", tmp_path / "link", tmp_path / ("x" * 255)
    kept.write_text("before")
    kept.chmod(0o640)
    link.symlink_to(kept)
    # when results are written to both
    for path in (link, long):
        getattr(results(success(0)), method)(path)
    # then
    assert link.is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o640
    assert kept.read_bytes() == long.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([kept, link, long])


def test_what_is_no_file_is_written_to_itself(tmp_path: Path) -> None:
    """Whoever may do so would otherwise replace a device such as the one for nothing."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    results(success(0)).to_jsonl(pipe)

    received = os.read(reader, 65_536)
    os.close(reader)
    assert json.loads(received)["result"] == "good"
    assert pipe.is_fifo()


@pytest.mark.parametrize("method", ["to_jsonl", "to_parquet"])
def test_a_place_that_cannot_be_written_to_is_named(method: str, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent" / "results"):
        with pytest.raises(OSError, match=rf"{path}'$"):
            getattr(results(success(0)), method)(path)
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_stay_what_they_are_where_some_rows_have_none() -> None:
    """As floats, ids of more than 53 bits would be those of somebody else."""
    number = 2**60 + 1

    frame = results(
        success(0, {"id": number, "either": number}, part=1),
        success(1, {"id": 3, "either": 0.5}, part=2.5),
        failure(2, order=number),
    ).to_pandas()

    assert frame["result.id"].dropna().tolist() == [number, 3]
    assert frame["params.order"].dropna().tolist() == [number]
    assert frame["result.either"].dropna().tolist() == [number, 0.5]
    assert frame["result.id"].sum() == number + 3
    assert frame["params.part"].tolist()[:2] == [1.0, 2.5]


def test_an_empty_object_is_told_from_nothing() -> None:
    frame = results(success(0, {}), success(1, None)).to_pandas()
    assert frame["result"].tolist() == [{}, None]


@pytest.mark.parametrize(("library", "method"), [("pandas", "to_pandas"), ("pyarrow", "to_parquet")])
def test_an_absent_library_is_named_with_the_command_that_installs_it(
    library: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    arguments = [] if method == "to_pandas" else [tmp_path / "r.parquet"]

    with pytest.raises(LibraryNotInstalled, match=rf"{method}\(\) needs {library}.*pip install '{library}'"):
        getattr(results(), method)(*arguments)
    assert issubclass(LibraryNotInstalled, ImportError)
