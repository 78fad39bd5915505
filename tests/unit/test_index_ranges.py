"""Indices as people write them."""

from typing import Any

import pytest

from background_jobs.core.errors import InvalidKickOff
from background_jobs.core.index_ranges import parse_ranges, write_ranges
from background_jobs.core.options import RerunOptions, read_options


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0-99,250", "0-99,250-250"),
        (" 7 , 5-6 ", "5-7"),
        ("3,3,1-4", "1-4"),
        (7, "7-7"),
        ([9, 2, 3], "2-3,9-9"),
        (range(100), "0-99"),
    ],
)
def test_indices_are_taken_as_text_as_a_number_and_as_numbers(given: Any, kept: str) -> None:
    assert read_options(RerunOptions, {"indices": given}).indices == kept


@pytest.mark.parametrize(
    "given",
    ["", "a", "1-", "-1", "3-2", "1;2", "0x1", "1-2-3", "9" * 19, 1.5, [1.0], [True], [-1], ["1"], []],
)
def test_what_is_no_index_is_refused_in_a_sentence(given: Any) -> None:
    with pytest.raises(InvalidKickOff, match=r"^[Ii]ndices"):
        read_options(RerunOptions, {"indices": given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (1.5, "1.5 is neither an index nor a range; write them as 0-99,250"),
        (range(10**14), "has more than 10,000,000"),
    ],
)
def test_what_cannot_be_indices_is_told_with_what_can(given: Any, message: str) -> None:
    with pytest.raises(InvalidKickOff, match=message):
        read_options(RerunOptions, {"indices": given})


def test_indices_that_were_written_are_read_again() -> None:
    indices = [0, 1, 2, 5, 9, 10]
    text = write_ranges(indices)
    assert (text, [index for part in parse_ranges(text) for index in part.numbers()]) == (
        "0-2,5,9-10",
        indices,
    )
