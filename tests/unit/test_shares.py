"""Cutting instances into shares."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from background_jobs.core.containers.shares import cut_shares, share_count


@given(st.lists(st.integers(1, 500), min_size=1, max_size=200), st.integers(1, 50), st.integers(1, 50))
def test_shares_cover_every_instance_and_byte_once_and_differ_by_one_at_most(
    lengths: list[int], parallelism: int, limit: int
) -> None:
    count = share_count(len(lengths), parallelism, limit)
    shares = list(cut_shares(lengths, len(lengths), count))

    assert len(shares) == min(len(lengths), parallelism, limit)
    assert [i for share in shares for i in range(share.first, share.last + 1)] == list(range(len(lengths)))
    assert shares[0].first_byte == 0
    assert shares[-1].last_byte == sum(lengths) - 1
    assert all(a.last_byte + 1 == b.first_byte for a, b in pairwise(shares))
    assert all(sum(lengths[: s.first]) == s.first_byte for s in shares)
    sizes = [share.last - share.first + 1 for share in shares]
    assert max(sizes) - min(sizes) <= 1
