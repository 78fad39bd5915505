"""The digest of failures: what they have in common, in linear time, and as an answer of bounded size."""

import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

from background_jobs.core.events import JobError, JobErrored
from background_jobs.core.limits import PAGE
from background_jobs.core.views.cause_groups import group_failures
from background_jobs.core.views.causes import Cause, CausePage, FailureDigest
from background_jobs.core.views.page import position_of
from tests.unit.histories import attempt_failed, job_errored

WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet"]


def failing(index: int, message: str) -> JobErrored:
    return job_errored(index).model_copy(update={"error": JobError(type="ValueError", message=message)})


def word(number: int) -> str:
    """Return a text of words alone: numbers in a message do not tell causes apart."""
    return " ".join(WORDS[int(digit)] for digit in str(number))


def digest(failures: list[JobErrored], params: list[dict[str, Any]]) -> FailureDigest:
    return FailureDigest.of(group_failures(failures, len(params), lambda: enumerate(params)))


def test_what_the_failures_of_a_cause_share_is_named_the_rarest_first() -> None:
    params = [{"n": n, "region": "eu" if n < 3 else "us", "at": {"plan": "free"}, "day": 1} for n in range(8)]
    for n in (5, 6, 7):
        params[n]["at"] = {"plan": "paid"}
    # when one has another day, three taken at random have the same one more often than not
    params[7]["day"] = 2

    (cause,) = digest([failing(n, f"order {n} is gone") for n in range(3)], params).causes

    assert (cause.count, cause.indices) == (3, [0, 1, 2])
    assert [(str(param), param.instances) for param in cause.common] == [
        ("region=eu", 3),
        ("at.plan=free", 5),
    ]


def test_the_most_frequent_causes_are_detailed_and_the_others_counted() -> None:
    failures = [failing(n, word(n)) for n in range(300)]
    failures += [failing(n, word(250)) for n in range(300, 310)]

    found = digest(failures, [{"n": n} for n in range(310)])

    assert (found.failed, len(found.causes), found.more_causes) == (310, PAGE, 200)
    assert (found.causes[0].count, found.causes[0].indices[:2]) == (11, [250, 300])
    assert str(found).startswith("310 failures, 300 causes")


def test_twice_the_failures_of_twice_the_causes_take_about_twice_the_work() -> None:
    def work(causes: int) -> int:
        total = 2 * causes
        params = [{f"p{field}": f"{field} {n % 50}" for field in range(30)} for n in range(total)]
        failures = [failing(n, word(n % causes)) for n in range(total)]
        calls = count()
        sys.setprofile(lambda *_: next(calls))
        try:
            found = digest(failures, params)
        finally:
            sys.setprofile(None)
        assert len(found.model_dump_json()) < 500_000
        return next(calls)

    assert work(400) < 3 * work(200)


def test_neither_long_texts_nor_many_params_make_the_answer_long() -> None:
    params = [{f"{field:05d}": "x" * 90 for field in range(5_000)} | {"n": n} for n in range(4)]
    params.append({"n": 4})
    failures = [failing(n, f"{'very ' * 10_000}long") for n in range(4)]
    assert len(digest(failures, params).model_dump_json()) < 5_000


def test_where_nothing_failed_no_params_are_read() -> None:
    def params() -> Iterator[tuple[int, dict[str, Any]]]:
        raise AssertionError("the params were read")

    assert group_failures([], 10, params).items == []


def test_all_causes_are_read_page_by_page_each_once_under_an_id_of_its_own() -> None:
    # given 250 causes, the rarer ones in the later instances
    failures = [failing(index, word(index % 250)) for index in range(400)]
    params = [{"n": n, "half": n % 250 < 125} for n in range(400)]
    # when they are read a hundred at a time
    pages: list[CausePage] = []
    while not pages or pages[-1].next_token:
        position = position_of(pages[-1].next_token) if pages else 0
        pages.append(group_failures(failures, 400, lambda: enumerate(params), position=position, limit=100))
    # then each comes once, the most frequent first, and the pages know of all
    causes = [cause for page in pages for cause in page.items]
    assert [len(page.items) for page in pages] == [100, 100, 50]
    assert len({cause.cause_id for cause in causes}) == 250
    assert [cause.count for cause in causes] == [2] * 150 + [1] * 100
    assert {(page.failed, page.causes) for page in pages} == {(400, 250)}


def test_a_cause_keeps_its_id_whatever_the_values_in_its_message_and_whatever_else_failed() -> None:
    (first,) = digest([failing(0, "order 17 of 'acme' is gone")], [{}]).causes
    _, second = digest(
        [failing(0, "a"), failing(1, "a"), failing(2, "order 4 of 'ajax' is gone")], [{}] * 3
    ).causes
    assert first.cause_id == second.cause_id
    (other,) = digest([failing(0, "order 17 of 'acme' is late")], [{}]).causes
    assert other.cause_id != first.cause_id


def test_what_is_retried_is_among_the_causes_and_is_told_apart_from_what_gave_up() -> None:
    # given instances that failed for the same reason, of which one gave up, and one for another
    params = [{"region": "eu"}] * 3 + [{"region": "us"}] * 3
    retrying = [attempt_failed(1), attempt_failed(2), attempt_failed(4)]
    retrying[2] = retrying[2].model_copy(update={"error": JobError(type="KeyError", message="'id'")})
    gave_up = job_errored(0).model_copy(update={"error": retrying[0].error})

    page = group_failures([gave_up], len(params), lambda: enumerate(params), retrying=retrying)
    digest = FailureDigest.of(page)

    assert (digest.failed, digest.retrying) == (1, 3)
    assert [(cause.type, cause.count, cause.retrying, cause.indices) for cause in digest.causes] == [
        ("OSError", 1, 2, [0, 1, 2]),
        ("KeyError", 0, 1, [4]),
    ]
    assert [str(param) for param in digest.causes[0].common] == ["region=eu"]
    counts = [line.partition(" of ")[0] for line in str(digest).splitlines()]
    assert counts == ["1 failure and 3 retrying, 2 causes", "  1 and 2 retrying", "  0 and 1 retrying"]


def test_a_printed_digest_has_a_line_for_each_cause_whatever_its_message() -> None:
    message = "two\nlines \x1b[31mred\u202e"
    cause = Cause(cause_id="0" * 12, type="ValueError", message=message, place="", count=2, indices=[0, 1])
    printed = str(FailureDigest(total=9, failed=7, causes=[cause], more_causes=3))
    assert printed.splitlines() == [
        "7 failures, 4 causes",
        "  2 of ValueError: two lines \ufffd[31mred\ufffd",
        "  and 3 further causes",
    ]
