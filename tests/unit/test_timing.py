"""Occurrences against other libraries: cronsim for what everybody writes, aws-croniter for Scheduler's own signs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aws_croniter import AwsCroniter
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from background_jobs.core.schedules.cron import aws_cron
from background_jobs.core.schedules.timing import Timing

LONGEST = 250
ZONES = [
    "Africa/Cairo",  # changes at midnight
    "America/New_York",
    "America/St_Johns",
    "Antarctica/Troll",  # by two hours
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # by half an hour
    "Europe/Berlin",
    "Pacific/Apia",
    "UTC",
]
BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 20 * 365 * 24 * 60).map(
    lambda n: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)


def changes(zone: str, year: int) -> list[datetime]:
    """The hours of a year in which the clocks of a zone change."""
    first = datetime(year, 1, 1, tzinfo=UTC)

    def offset(hours: int) -> timedelta | None:
        return (first + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).utcoffset()

    days = [day for day in range(0, 366 * 24, 24) if offset(day) != offset(day + 24)]
    return [
        first + timedelta(hours=hour)
        for day in days
        for hour in range(day + 1, day + 25)
        if offset(hour - 1) != offset(hour)
    ]


@cache
def all_changes() -> dict[str, list[datetime]]:
    """The hours of some years in which clocks change, for each zone that has such hours."""
    return {
        zone: [hour for year in (2021, 2026, 2031) for hour in changes(zone, year)]
        for zone in ZONES
        if changes(zone, 2026)
    }


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # The libraries differ over a range of one.
    pairs = st.lists(number, min_size=2, max_size=2, unique=True)
    span = pairs.map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(span | st.just("*"), st.integers(1, high - low)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(number.map(str) | span | step, min_size=1, max_size=3).map(",".join)


MINUTES = numbers(0, 59) | st.just("*")
HOURS = numbers(0, 23) | st.just("*")
DAYS_AND_WEEKDAYS = st.tuples(st.just("*"), numbers(0, 6) | st.just("*") | st.just("MON-FRI")) | st.tuples(
    numbers(1, 28), st.just("*")
)
MONTHS = numbers(1, 12) | st.just("*")


@st.composite
def unix_crons(draw: st.DrawFn) -> str:
    minute, hour = draw(MINUTES), draw(HOURS)
    day, weekday = draw(DAYS_AND_WEEKDAYS)
    month = draw(MONTHS)
    cron = f"{minute} {hour} {day} {month} {weekday}"
    assume(len(aws_cron(cron)) <= LONGEST)
    return cron


@cache
def clocks_of_hour(zone: str, hour: datetime) -> list[tuple[datetime, datetime]]:
    """Return each minute of an hour, with what the clocks show then."""
    minutes = [hour + timedelta(minutes=n) for n in range(60)]
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in minutes]


def occurrences_minute_by_minute(cron: str, zone: str, first: datetime, last: datetime) -> Iterator[datetime]:
    """Walk the real time line minute by minute: due is what the clocks show for the first time."""
    local = first.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    due = set(takewhile(lambda at: at < local + timedelta(days=3), CronSim(cron, local - timedelta(days=1))))
    begin = first - timedelta(minutes=300)
    hour = begin.replace(minute=0)
    while hour < last:
        for at, shown in clocks_of_hour(zone, hour):
            if shown in due and begin <= at < last:
                due.remove(shown)
                if at > first:
                    yield at
        hour += timedelta(hours=1)


@settings(max_examples=150)
@given(cron=unix_crons(), after=MOMENTS)
def test_occurrences_of_a_cron_are_those_that_another_library_finds(cron: str, after: datetime) -> None:
    assert list(islice(Timing(cron=cron).after(after), 5)) == list(islice(CronSim(cron, after), 5))


@settings(max_examples=150)
@given(data=st.data(), minutes=st.integers(-300, 300), cron=numbers(0, 59), hour=st.just("*") | numbers(0, 4))
def test_what_the_clocks_skip_is_not_due_and_what_they_repeat_is_due_once(
    data: st.DataObject, minutes: int, cron: str, hour: str
) -> None:
    zone = data.draw(st.sampled_from(sorted(all_changes())))
    first = data.draw(st.sampled_from(all_changes()[zone])).astimezone(UTC) + timedelta(minutes=minutes)
    last = first + timedelta(hours=30)
    expression = f"{cron} {hour} * * *"
    assume(len(aws_cron(expression)) <= LONGEST)
    timing = Timing(cron=expression, timezone=zone)
    due = list(takewhile(lambda at: at < last, timing.after(first)))
    assert due == list(occurrences_minute_by_minute(expression, zone, first, last))


@settings(max_examples=100)
@given(data=st.data(), minutes=st.integers(-300, 300), cron=unix_crons())
def test_looking_back_finds_what_looking_ahead_finds(data: st.DataObject, minutes: int, cron: str) -> None:
    zone = data.draw(st.sampled_from(sorted(all_changes())))
    first = data.draw(st.sampled_from(all_changes()[zone])).astimezone(UTC) + timedelta(minutes=minutes)
    last = first + timedelta(hours=9)
    timing = Timing(cron=cron, timezone=zone)
    ahead = list(takewhile(lambda at: at < last, timing.after(first)))
    back = list(takewhile(lambda at: at > first, timing.before(last)))
    assert ahead == back[::-1]


SCHEDULER_CRONS = st.one_of(
    st.integers(1, 28).map(lambda day: f"15 3 {day}W * ? *"),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda pair: f"15 3 ? * {pair[0]}#{pair[1]} *"),
    st.integers(1, 7).map(lambda day: f"15 3 ? * {day}L *"),
    numbers(1, 12).map(lambda months: f"0/20 3,4 L {months} ? *"),
    st.tuples(st.integers(1, 6), st.integers(2026, 2030)).map(
        lambda pair: f"15 3 ? JAN,JUN-AUG {pair[0]}-7 {pair[1]},{pair[1] + 2}"
    ),
    st.sampled_from(["0 8 1 * ? *", "0 18 ? * MON-FRI *", "0/10 * ? * MON-FRI *", "0 0 31 * ? *"]),
)


@settings(max_examples=100)
@given(cron=SCHEDULER_CRONS, after=MOMENTS)
def test_the_signs_of_scheduler_mean_the_same_here(cron: str, after: datetime) -> None:
    expected = [at for at in AwsCroniter(cron).get_next(after, 6) if at is not None]
    assert list(islice(Timing(cron=cron).after(after), len(expected))) == expected


@settings(max_examples=100)
@given(start=MOMENTS, every=st.integers(1, 60 * 24 * 40).map(lambda n: timedelta(minutes=n)), moment=MOMENTS)
def test_intervals_count_from_their_start(start: datetime, every: timedelta, moment: datetime) -> None:
    timing = Timing(every=every, start=start)
    assert timing.start is not None
    (first,) = islice(timing.after(moment), 1)
    assert first > moment
    assert (first - timing.start) % every == timedelta()
    assert first == timing.start or first - every <= moment
    latest = list(islice(timing.before(moment), 1))
    if moment <= timing.start:
        assert latest == []
    else:
        # an occurrence at *moment* itself is not before it
        assert latest == [first - every if first - every < moment else first - 2 * every]


def test_occurrences_end_with_the_calendar() -> None:
    start = datetime(9998, 6, 1, tzinfo=UTC)
    timing = Timing(every=timedelta(days=200), start=start)
    assert list(timing.after(start)) == [start + n * timedelta(days=200) for n in (1, 2)]


def test_a_window_cuts_both_ways() -> None:
    start, end = datetime(2026, 11, 1, 3, tzinfo=UTC), datetime(2026, 11, 4, 3, tzinfo=UTC)
    timing = Timing(cron="0 3 * * *", start=start, end=end)
    days = [start + timedelta(days=n) for n in range(3)]  # the start is due, the end is not
    assert list(timing.after(start - timedelta(days=900))) == days
    assert list(timing.before(end + timedelta(days=900))) == days[::-1]


def test_a_schedule_for_one_moment_is_due_once_at_the_next_whole_minute() -> None:
    timing = Timing(at=datetime(2026, 11, 24, 3, 0, 0, 1, tzinfo=BERLIN))
    due = datetime(2026, 11, 24, 2, 1, tzinfo=UTC)
    assert (list(timing.after(due - timedelta(1))), list(timing.after(due))) == ([due], [])
    assert timing.expression == "at(2026-11-24T02:01:00)"


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
    ids=["the first half past two", "the second", "the skipped one"],
)
def test_a_time_that_clocks_repeat_or_skip_is_the_moment_that_it_is_in_utc(
    at: datetime, moment: datetime
) -> None:
    # given a whole minute in an hour that the clocks of Berlin show twice, or not at all
    half_past = f"30 {moment:%H} * * *"

    # then a schedule is due then, begins with that occurrence, and ends before it
    assert Timing(at=at).at == moment
    assert next(Timing(cron=half_past, start=at).after(moment - timedelta(days=1))) == moment
    until_then = Timing(cron=half_past, end=at).after(moment - timedelta(days=1, minutes=1))
    assert list(until_then) == [moment - timedelta(days=1)]


@pytest.mark.parametrize(
    ("every", "expression"),
    [
        (timedelta(minutes=1), "rate(1 minute)"),
        (timedelta(minutes=90), "rate(90 minutes)"),
        (timedelta(hours=36), "rate(36 hours)"),
        (timedelta(days=7), "rate(7 days)"),
    ],
)
def test_intervals_are_written_as_scheduler_writes_them(every: timedelta, expression: str) -> None:
    assert Timing(every=every, start=datetime(2026, 1, 1, tzinfo=UTC)).expression == expression


@pytest.mark.parametrize(
    ("unix", "scheduler"),
    [
        ("0 3 * * *", "0 3 * * ? *"),
        ("*/5 8-18 * * 1-5", "0/5 8-18 ? * MON-FRI *"),
        ("0 0 * * 0", "0 0 ? * SUN *"),
        ("0 0 * * 7", "0 0 ? * SUN *"),
        ("0 0 * * 5-7", "0 0 ? * FRI,SAT,SUN *"),
        ("0 0 * * */2", "0 0 ? * SUN,TUE,THU,SAT *"),
        ("0 0 1-7/2 jan-mar,6 *", "0 0 1,3,5,7 JAN-MAR,6 ? *"),
    ],
)
def test_five_fields_are_translated_into_schedulers_six(unix: str, scheduler: str) -> None:
    assert Timing(cron=unix).cron == scheduler
    assert Timing(cron=scheduler).cron == scheduler


AT = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of cron, every and at"),
        ({"cron": "0 3 * * *", "at": AT}, "exactly one of cron, every and at"),
        ({"cron": "every day"}, "5 fields, or 6 with the year; 'every day' has 2"),
        ({"cron": "60 * * * *"}, "'60' is no minute: use 0-59"),
        ({"cron": "0 3 * * 8"}, "'8' is no weekday: use 0-7, or SUN-SAT"),
        ({"cron": "0 3 ? * 0 *"}, "'0' is no weekday: use 1-7, or SUN-SAT"),
        ({"cron": "0 3 * FOO *"}, "'FOO' is no month: use 1-12, or JAN-DEC"),
        ({"cron": "*/60 * * * *"}, "'60' is no step of the minute: use 1-59"),
        ({"cron": "0 22-2 * * *"}, "the hour range '22-2' runs backwards"),
        ({"cron": "0 3 1 * MON"}, "make a schedule for each of them"),
        ({"cron": "0 3 L * *"}, "'L' is Scheduler's own: write all of its 6 fields"),
        ({"cron": "0 3 * * * *"}, "exactly one must be"),
        ({"cron": "0 3 ? * ? *"}, "exactly one must be"),
        ({"cron": "0 3 ? * 2/2 *"}, "no steps of weekdays"),
        ({"cron": "0 3 ? * 2#6 *"}, "#1 to #5"),
        ({"cron": "0 3 31W * ? *"}, "use 1W-28W, or L"),
        ({"cron": "0 3 ٣ * *"}, "is no day of the month"),
        ({"cron": "0-58/2,1-59/2 0-22/2,1-23/2 1-31/2 * *"}, "too long for Scheduler"),
        ({"cron": "0 3 * * *", "timezone": "Europe/Bonn"}, "no time zone 'Europe/Bonn'"),
        ({"cron": "0 3 * * *", "timezone": "../passwd"}, "no time zone"),
        ({"at": AT, "timezone": "Europe/Berlin"}, "a timezone is for cron alone"),
        ({"at": AT.replace(tzinfo=None)}, "needs a time zone"),
        ({"at": AT, "end": AT}, "neither start nor end"),
        ({"every": timedelta(seconds=30), "start": AT}, "from 1 minute to 366 days"),
        ({"every": timedelta(seconds=90), "start": AT}, "from 1 minute to 366 days"),
        ({"every": timedelta(hours=-1), "start": AT}, "from 1 minute to 366 days"),
        ({"every": timedelta(hours=1)}, "needs a start"),
        ({"cron": "0 3 * * *", "start": AT, "end": AT}, "the window is empty"),
        ({"every": timedelta(hours=1), "start": datetime.min.replace(tzinfo=UTC)}, "beyond the calendar"),
        ({"cron": "0 3 * * *", "start": datetime.min.replace(tzinfo=UTC)}, "beyond the calendar"),
        ({"at": datetime.max.replace(tzinfo=UTC)}, "beyond the calendar"),
    ],
)
def test_what_scheduler_cannot_do_is_refused_with_what_to_do_instead(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Timing(**fields)
    assert message in str(refused.value)
