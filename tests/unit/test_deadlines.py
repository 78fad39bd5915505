"""How long a caller waits between two looks: seldom while much is left, and not long past the end."""

import time

import pytest

from background_jobs.core.read_model import Summary
from background_jobs.orchestration_service.deadlines import Deadline
from tests.unit.histories import ORCHESTRATION_ID


def choose_pause(waited: float, completed: int | None, limit: float | None = None) -> float:
    """Return the pause of somebody who has waited so long for 1,000 instances."""
    deadline = Deadline(ORCHESTRATION_ID, limit, started=time.monotonic() - waited)
    if completed is None:
        return deadline.choose_pause()
    return deadline.choose_pause(Summary(orchestration_id=ORCHESTRATION_ID, total=1_000, completed=completed))


@pytest.mark.parametrize(
    ("waited", "completed", "pause"),
    [
        (0, 0, 0.05),
        (20, 0, 1.0),
        (20, 500, 1.0),
        (20, 980, 0.2),  # what is left takes 0.4 s
        (20, 999, 0.2),  # the last one may take long
        (1, 999, 0.05),
        (3_600, 10, 2.0),
        (3_600, 999, 2.0),
    ],
)
def test_the_pause_is_short_where_the_end_is_near(waited: float, completed: int, pause: float) -> None:
    assert choose_pause(waited, completed) == pytest.approx(pause, rel=0.05)


def test_a_timeout_that_is_no_time_is_refused_before_anybody_waits() -> None:
    with pytest.raises(TypeError, match=r"^timeout='60': a number of seconds or a timedelta is needed\.$"):
        Deadline.after("60", ORCHESTRATION_ID)  # type: ignore[arg-type] # that is tested


def test_without_counts_the_pause_is_that_of_the_beginning() -> None:
    assert choose_pause(20, None) == pytest.approx(1.0, rel=0.05)


def test_no_pause_is_longer_than_what_is_left_of_the_time() -> None:
    assert choose_pause(20, 0, limit=20) <= 0.05
