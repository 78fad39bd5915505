"""The feed as it is stored: it reads back equal, and takes a few bytes an instance."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core import statuses
from background_jobs.core.feed import pack_feed_item, unpack_feed_item
from background_jobs.core.read_model import Advance, FeedItem, Transition
from tests.unit.histories import BEGINNING

MOMENTS = st.integers(0, 10**10).map(lambda milliseconds: BEGINNING + timedelta(milliseconds=milliseconds))
INDICES = st.integers(0, 1_000_000)
TRANSITIONS = st.builds(Transition, INDICES, st.integers(1, statuses.ERRORED), MOMENTS)
ADVANCES = st.builds(
    Advance, INDICES, st.integers(1, 511), st.integers(0, 100), st.text(max_size=80), MOMENTS
)
ITEMS = st.builds(
    FeedItem,
    INDICES,
    INDICES,
    INDICES,
    INDICES,
    st.lists(TRANSITIONS).map(tuple),
    st.lists(ADVANCES).map(tuple),
    st.none() | MOMENTS,
)


@given(ITEMS)
def test_an_item_reads_back_equal_and_in_its_order(item: FeedItem) -> None:
    assert unpack_feed_item(item.version, pack_feed_item(item)) == item


def test_thousands_of_instances_that_end_one_after_the_other_take_a_byte_or_two_each() -> None:
    moved = tuple(
        Transition(index, statuses.COMPLETED, BEGINNING + timedelta(milliseconds=17 * index + index**2 % 13))
        for index in range(4_000)
    )
    assert len(pack_feed_item(FeedItem(1, 0, 4_000, 0, moved, ()))) < 2 * len(moved)
