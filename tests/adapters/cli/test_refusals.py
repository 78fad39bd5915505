"""What the commands refuse: each with a sentence on standard error, and exit status 2."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.adapters.cli.commands import UNKNOWN, run

DEPLOYING: Final = Path(__file__).parents[3] / "docs" / "deploying.md"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kick-off", "havle"], "There is no job named 'havle'. This service has: 'halve', 'other'."),
        (["kick-off", "halve", "nowhere.jsonl"], "Error: nowhere.jsonl: No such file"),
        (["kick-off", "halve", "--tag", "acme"], "'acme' is no tag; write NAME=VALUE."),
        (["kick-off", "halve", "--timeout", "8x"], "'8x' is no span of time"),
        (["kick-off", "halve", "--timeout", "8d"], "A timeout of 691200.0 s cannot be"),
        (["kick-off", "halve", "--parallelism", "101"], "parallelism=101 must be from 1 to 100"),
        (["kick-off", "halve", "--max-attempts", "0"], "'0' must be at least 1."),
        (["kick-off", "halve", "--then", "havle"], "There is no job named 'havle'."),
        (["kick-off", "halve", "--then", ""], "'' is no job name."),
        (["kick-off", "halve", "--on-failure", "continue"], "name that with --then"),
        (["kick-off", "halve", "--then", "other", "--on-failure", "wait"], "'wait' is not one of"),
        (["rerun", UNKNOWN, "--max-attempts", "101"], "'101' must be at most 100."),
        (["rerun", UNKNOWN, "--timeout", "soon"], "'soon' is no span of time"),
        (["results", UNKNOWN, "--merged"], f"There is no orchestration '{UNKNOWN}' here."),
        (["watch", "--pipeline", UNKNOWN], f"There is no orchestration '{UNKNOWN}' here."),
        (["watch", UNKNOWN], f"There is no orchestration '{UNKNOWN}' here."),
        (["show", "not-an-id"], "There is no orchestration 'not-an-id' here."),
        (["list", "--since", "yesterday"], "'yesterday' is no moment"),
        (["list", "--since", "9999-12-31T23:59:59-12:00"], "is no moment"),
        (["list", "--since", "0001-01-01T00:00:00+12:00"], "is no moment"),
        (["list", "--since", "2026-11-24", "--until", "2026-11-23"], "later than until="),
        (["list", "--next-token", "made-up"], "This is no token of a page before"),
        (["list", "--status", "lost"], "'lost' is not one of"),
        (["results", UNKNOWN, "--limit", "0"], "'0' must be at least 1."),
        (["results", UNKNOWN, "--limit", "many"], "'many' must be a whole number."),
        (["instance", UNKNOWN, "first"], "'first' must be a whole number."),
        (["schema", "Event"], "value for 'name': 'Event' is not one of"),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence_and_status_2(words: list[str], message: str) -> None:
    refused = run(*words, stdin='{"n": 2}')
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert message in refused.stderr


def test_missing_settings_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKGROUND_JOBS_ENVIRONMENT", "BACKGROUND_JOBS_PAYLOAD_BUCKET"):
        monkeypatch.delenv(name)
    for words in (["list"], ["watch", UNKNOWN], ["kick-off", "halve"], ["rerun", UNKNOWN]):
        refused = run(*words, stdin="")
        assert refused.exit_code == 2
        assert "variables: BACKGROUND_JOBS_ENVIRONMENT, BACKGROUND_JOBS_PAYLOAD_BUCKET." in refused.stderr


def test_an_error_of_aws_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKGROUND_JOBS_READ_MODEL_TABLE", "a-table-of-nobody")
    refused = run("list")
    assert refused.exit_code == 3
    assert "ResourceNotFoundException" in refused.stderr
    assert "not found. What the settings name is not there: its stack was deleted" in refused.stderr
    assert "`background-jobs doctor`" in refused.stderr


def test_what_is_said_once_the_stack_and_its_data_are_gone_is_in_the_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = re.findall(r"^Error: An error occurred .*$", DEPLOYING.read_text(), flags=re.MULTILINE)
    for table in ("EVENT_LOG", "READ_MODEL"):
        monkeypatch.setenv(f"BACKGROUND_JOBS_{table}_TABLE", "a-table-of-nobody")
    for command in ("show", "results"):
        refused = run(command, UNKNOWN)
        assert (refused.exit_code, [refused.stderr.strip()]) == (3, shown)
