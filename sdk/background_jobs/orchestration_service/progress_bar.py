"""A bar that shows how far an orchestration is, in a notebook or on a terminal."""

import sys
import warnings
from types import TracebackType
from typing import Any, Self

from background_jobs.core.read_model import Summary
from background_jobs.orchestration_service.exports import import_library


class ProgressBar:
    """A bar of tqdm, on standard error; where nobody sees that, nothing is drawn.

    Raises LibraryNotInstalled.
    """

    def __init__(self, summary: Summary) -> None:
        with warnings.catch_warnings():
            # Without ipywidgets, tqdm warns, and draws the bar as text.
            warnings.simplefilter("ignore")
            tqdm = import_library(
                "tqdm.auto", needed_for="progress()", install="background-job-service[notebook]"
            ).tqdm
        self._bar: Any = tqdm(
            desc=summary.job_name,
            unit=" instances",
            total=summary.total,
            initial=summary.completed + summary.errored,
            disable=not _is_seen(),
            dynamic_ncols=True,
        )
        self.show(summary)

    def show(self, summary: Summary) -> None:
        """Draw how the orchestration stands."""
        if summary.errored:
            self._bar.set_postfix(errored=summary.errored, refresh=False)
        self._bar.n = summary.completed + summary.errored
        self._bar.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


def _is_seen() -> bool:
    """Tell whether standard error is a terminal, or this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    errors = sys.stderr
    return hasattr(shell, "kernel") or (errors is not None and not errors.closed and errors.isatty())
