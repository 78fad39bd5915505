"""A notebook in a real kernel, which follows an orchestration of the offline stack."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "from background_jobs import OrchestrationService",
    "o = OrchestrationService().kick_off_job('fussy', [{'n': n, 'bad': '<b>' if n == 30 else ''} for n in range(31)])",
    "summary = o.progress()\nsummary.completed, summary.errored",
    "o",
    "results = o.results()\nresults",
    "results.failures.digest()",
    "results.to_pandas().shape",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client", "ignore::RuntimeWarning:zmq")
def test_a_kernel_shows_progress_results_and_causes() -> None:
    v4: Any = nbformat.v4
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in CELLS])

    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()

    _, _, progress, orchestration, results, digest, shape = (cell.outputs for cell in notebook.cells)
    assert data(progress, "text/plain") == "(30, 1)"
    assert "31/31" in "".join(output.get("text", "") for output in progress)
    assert "31 of 31 instances" in data(orchestration, "text/html")
    assert "1 errored" in data(results, "text/html")
    assert "and 20 further instances" in data(results, "text/html")
    assert "&lt;b&gt; is bad" in data(digest, "text/html")
    assert data(shape, "text/plain") == "(31, 12)"


def data(outputs: Any, kind: str) -> str:
    (answer,) = [output["data"] for output in outputs if output["output_type"] == "execute_result"]
    text: str = answer[kind]
    return text
