"""What the command line reads and shows: spans, moments, and text that others wrote."""

import io
import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from rich.console import Console

from background_jobs.cli import bars
from background_jobs.cli.reporting import print_json
from background_jobs.cli.times import format_duration, parse_duration, parse_time
from background_jobs.cli.untrusted import printable, printable_json, safe_json

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""What hides the cursor of a terminal, and shows it (DECTCEM)."""


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("90", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("30d", timedelta(days=30)),
    ],
)
def test_a_span_is_read_as_people_write_it(text: str, read: timedelta) -> None:
    assert parse_duration(text) == read


@pytest.mark.parametrize("text", ["", "soon", "10x", "0", "-5m", "nan", "inf", "999999999999d"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no span of time"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=86_400 * 300))
def test_a_span_that_was_printed_is_read_again_to_its_second_unit(seconds: int) -> None:
    again = parse_duration(format_duration(seconds)).total_seconds()
    unit = next(unit for unit in (86_400, 3_600, 60, 1) if seconds >= unit)
    assert 0 <= seconds - again < max(1, {86_400: 3_600, 3_600: 60}.get(unit, 1))


def test_a_moment_is_iso_8601_or_a_span_before_now() -> None:
    assert parse_time("2026-11-24T09:30Z") == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    assert parse_time("2026-11-24T09:30+02:00") == datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    assert parse_time("2026-11-24") == datetime(2026, 11, 24).astimezone()
    before = datetime.now(UTC) - timedelta(hours=2)
    assert before <= parse_time("2h") <= before + timedelta(minutes=1)


def test_a_time_of_day_is_one_of_today_by_the_clock_of_this_machine() -> None:
    today = datetime.now().astimezone()
    read = parse_time("12:30")
    assert (read.hour, read.minute, read.second, read.utcoffset()) == (
        12,
        30,
        0,
        read.astimezone().utcoffset(),
    )
    assert today.date() <= read.date() <= datetime.now().astimezone().date()
    assert parse_time("12:30Z").astimezone(UTC).hour == 12


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "-2h", "25:00", "12:70"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="or a span before now: 2h, 7d"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain ünïcode 日本", "plain ünïcode 日本"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b]0;title\x07", "�[2J�]0;title�"),
        ("\x9b2J", "�2J"),
        ("right\u202eleft", "right�left"),
        ("one\ntwo\r\tthree\u2028four\u00a0five", "one two  three four five"),
        ("half \ud800", "half �"),
    ],
)
def test_text_of_others_cannot_act_on_a_terminal(text: str, safe: str) -> None:
    """Params, results and messages may come from anybody, and an escape sequence can hide or forge lines."""
    assert printable(text) == safe


def test_line_breaks_stay_where_lines_are_asked_for() -> None:
    assert printable("one\n\ttwo\x07", lines=True) == "one\n\ttwo�"


@given(st.text(alphabet=st.characters(codec=None)))
def test_nothing_but_what_can_be_printed_comes_through(text: str) -> None:
    assert printable(text).isprintable()
    assert printable_json({text: text}).isprintable()


@given(st.recursive(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.lists))
def test_json_that_is_printed_says_the_same_and_cannot_act_on_a_terminal(value: Any) -> None:
    document = safe_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(document) == value
    assert document.replace("\n", "").isprintable()


class _Printed(BaseModel):
    text: str


@pytest.mark.parametrize("print_model", [print_json])
def test_models_are_printed_with_such_characters_escaped(
    print_model: Callable[[BaseModel], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """C1 controls and directions of text reach the terminal raw otherwise, and DEL, and what is invisible."""
    text = "Zoë \x9b2J \u202egnp.exe\u2066 \x7f\u200b \U000e0041"
    print_model(_Printed(text=text))
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"text": text}
    assert printed.replace("\n", "").isprintable()
    assert "Zoë \\u009b2J \\u202egnp.exe\\u2066" in printed


def test_sigterm_while_the_bars_are_begun_shows_the_cursor_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a terminal that hides its cursor at the moment when SIGTERM comes
    class Written(io.StringIO):
        def write(self, text: str) -> int:
            length = super().write(text)
            if text == HIDE:
                signal.raise_signal(signal.SIGTERM)
            return length

    written = Written()
    monkeypatch.setattr(bars, "out", lambda: Console(file=written, force_terminal=True))
    before = signal.getsignal(signal.SIGTERM)
    try:
        # when bars are begun there
        with pytest.raises(SystemExit, match="143"), bars.Bars(Mock(job_name="double", id="7c0e0b9a")):
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    # then it shows its cursor again
    assert written.getvalue().rindex(SHOW) > written.getvalue().rindex(HIDE)
