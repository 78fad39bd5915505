"""That docs/benchmarks.md says what its figures say, and what a reader is told of figures that are missing."""

from datetime import UTC, datetime

from benchmarks.compare.figures import DOCUMENT, KEPT, Figures, Machine
from benchmarks.compare.losses import Loss
from benchmarks.compare.render import IMAGES, plots, render


def figures(**fields: object) -> Figures:
    machine = Machine(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        commit="abc",
        processor="a processor",
        processors=2,
        system="Linux",
        python="3.11",
        load_before=0.1,
    )
    return Figures.model_validate({"machine": machine, "repeat": 3, "quick": False, "versions": {}, **fields})


def test_the_page_and_its_plots_have_the_figures_that_are_kept() -> None:
    """Refresh them with `python -m benchmarks.compare --render`."""
    kept = Figures.kept(KEPT)
    assert render(DOCUMENT.read_text(), kept) == DOCUMENT.read_text()
    for name, plot in plots(kept).items():
        assert (IMAGES / name).read_text() == plot


def test_a_peer_that_cannot_be_installed_is_left_out_by_name() -> None:
    page = render(DOCUMENT.read_text(), figures(left_out={"dask": "no such version"}))
    assert "Dask distributed is left out: no such version." in page


def test_a_peer_that_would_take_too_long_is_left_out_by_name() -> None:
    page = render(DOCUMENT.read_text(), figures(without={"no_ops_100000": {"dbos": "would take 250 s"}}))
    assert "100,000 no-ops, DBOS on Postgres: left out, would take 250 s." in page


def test_the_page_says_which_figures_are_of_a_trial() -> None:
    assert "A trial" in render(DOCUMENT.read_text(), figures(quick=True))
    assert "A trial" not in render(DOCUMENT.read_text(), figures())


def test_rates_are_of_medians() -> None:
    page = render(DOCUMENT.read_text(), figures(seconds={"no_ops_1000": {"ours": [9.0, 0.5, 0.4]}}))
    (row,) = (line for line in page.splitlines() if line.startswith("| 1,000 no-ops"))
    assert row.split("|")[2].strip() == "2,000"


def test_what_a_person_has_to_do_after_a_loss_is_the_least_that_helps() -> None:
    assert Loss(0, 0, 2, 1.0).remedy == "nothing"
    assert Loss(9, 0, 2, 1.0).remedy == "start the workers again"
    assert Loss(9, 4, 2, 1.0).remedy == "find what is missing (4), and run it again"
