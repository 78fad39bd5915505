"""Rules that every command keeps: a command that is added here is held to them as well."""

import codecs
import json
import os
import pty
import re
import select
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, get_origin
from unittest.mock import Mock

import pytest
import typer
from typer.testing import CliRunner

from background_jobs import OrchestrationService
from background_jobs.cli import reporting
from background_jobs.cli.arguments import parse_id
from background_jobs.cli.main import app
from background_jobs.core.job_descriptions import JobDescription
from tests.adapters.cli.commands import EVIL, UNKNOWN, run

METAVARS: Final = {
    "ID", "JOB", "SCHEDULE", "NAME", "FILE", "N", "DURATION", "TIME", "FROM", "TO", "TEXT", "NAME=VALUE", "KEY",
    "TOKEN", "ARN", "CRON", "COMMAND", "[FOLDER]", "STATUS", "NAME=URL", "NAME=FILE", "CAUSE",
    "NAME[=VALUE]",
}  # fmt: skip
NO_TABLE: Final = {
    "schema",
    "local up",
    "local list",
    "local logs",
    "local down",
    "local run",
    "local status",
    "doctor",
    "redrive",
    "publish-jobs",
    "open",
    "console",
    "report",
    "init",
}
"""What has other tests: these print a document, run another command, or need what is not in memory."""


def walk(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS: Final = dict(walk(typer.main.get_command(app)))
PARAMETERS: Final = [(name, parameter) for name, command in COMMANDS.items() for parameter in command.params]


WRAPPED: Final = {"kick-off", "rerun", "cancel", "failures", "logs", "plan", "rebuild", "watch"}
"""What prints sentences or paths, which the terminal itself wraps, or draws in place."""


@pytest.fixture
def words(
    service: OrchestrationService, done: str, aggregate: Callable[[], list[Any]], tmp_path: Path
) -> dict[str, list[str]]:
    """How each command is typed, where it has something to print that others wrote."""
    orchestration = service.kick_off_job("other", [{"n": EVIL}], tags={"note": EVIL})
    schedule = service.schedule_job("nightly", "halve", [{"n": 2}], cron="0 3 * * *", tags={"note": EVIL})
    schedule.run_now()
    service.publish_jobs([JobDescription(name="halve", description=EVIL)])
    assert aggregate() == []
    params = tmp_path / "params.jsonl"
    params.write_text('{"n": 2}\n')
    return {
        "kick-off": ["kick-off", "halve", str(params)],
        "jobs": ["jobs"],
        "list": ["list"],
        "find": ["find", "halve", "--param", "n=3"],
        "watch": ["watch", done],
        "show": ["show", orchestration.id],
        "instance": ["instance", orchestration.id, "0"],
        "results": ["results", done],
        "failures": ["failures", done],
        "logs": ["logs", done, "--places"],
        "containers": ["containers", done],
        "diff": ["diff", done, orchestration.id],
        "cancel": ["cancel", orchestration.id],
        "rerun": ["rerun", done],
        "rebuild": ["rebuild", done],
        "plan": ["plan", "--instances", "10", "--seconds", "2"],
        "schedule create": ["schedule", "create", "hourly", "halve", "--cron", "0 * * * *"],
        "schedule list": ["schedule", "list"],
        "schedule show": ["schedule", "show", "nightly"],
        "schedule pause": ["schedule", "pause", "nightly"],
        "schedule resume": ["schedule", "resume", "nightly"],
        "schedule run-now": ["schedule", "run-now", "nightly", "--force"],
        "schedule runs": ["schedule", "runs", "nightly"],
        "schedule backfill": ["schedule", "backfill", "nightly", "2026-11-20T00:00Z", "2026-11-21T00:00Z"],
        "schedule delete": ["schedule", "delete", "nightly"],
    }


def test_the_rules_are_tried_on_every_command(words: dict[str, list[str]]) -> None:
    assert words.keys() | NO_TABLE == COMMANDS.keys()


def test_a_pipe_gets_lines_of_fields_without_control_characters_and_times_with_their_zone(
    words: dict[str, list[str]],
) -> None:
    for command, typed in words.items():
        printed = run(*typed)
        assert printed.exit_code in {0, 1}, (command, printed.output)
        assert not re.search(r"[^\n\t -~\x80-\U0010ffff]|[\x7f-\x9f\u202e]", printed.output), command
        assert "  " not in re.sub(r"\{.*?\}", "", printed.stdout), command  # columns are for terminals
        for time in re.findall(r"\d\d:\d\d:\d\d[^\t\n ]*", printed.stdout):
            assert re.search(r"(Z|[+-]\d\d:\d\d)$", time), (command, printed.stdout)


def test_json_is_an_object_a_line_whatever_the_output_can_encode(words: dict[str, list[str]]) -> None:
    for command, typed in words.items():
        if "--json" in {option for parameter in COMMANDS[command].params for option in parameter.opts}:
            printed = CliRunner(charset="ascii").invoke(app, [*typed, "--json"])
            assert printed.exit_code in {0, 1}, (command, printed.output)
            assert printed.stdout_bytes.isascii(), command
            lines = printed.stdout.splitlines()
            assert lines, command
            assert all(isinstance(json.loads(line), dict) for line in lines), command


def test_an_output_that_takes_ascii_only_gets_what_it_can_encode(words: dict[str, list[str]]) -> None:
    for command, typed in words.items():
        printed = CliRunner(charset="ascii").invoke(app, typed)
        assert printed.exit_code in {0, 1}, (command, printed.output)
        assert printed.stdout_bytes.isascii(), command


def run_in_child(words: list[str], columns: int) -> tuple[int, str]:
    """Run a command on a terminal of so many columns, in a copy of this process; return status and output."""
    child, master = pty.fork()
    if child == 0:
        try:
            os.environ["COLUMNS"], os.environ["TERM"] = str(columns), "xterm-256color"
            sys.stdin, sys.stdout, sys.stderr = (
                open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 -- of the terminal
                for number, mode in ((0, "r"), (1, "w"), (2, "w"))
            )
            # sentences are wrapped by the terminal itself
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            reporting.out.cache_clear()
            reporting.err.cache_clear()
            app(words)
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(int(end.code or 0))
        finally:
            os._exit(99)
    decoder, text = codecs.getincrementaldecoder("utf-8")("replace"), ""
    while select.select([master], [], [], 60)[0]:
        try:
            part = os.read(master, 65_536)
        except OSError:
            break
        if not part:
            break
        text += decoder.decode(part)
    os.close(master)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_what_a_terminal_shows_fits_into_its_columns(words: dict[str, list[str]], columns: int) -> None:
    for command in sorted(words.keys() - WRAPPED):
        status, printed = run_in_child(words[command], columns)
        assert status in {0, 1}, printed
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed).splitlines()
        assert max(map(len, lines), default=0) <= columns, "\n".join(lines)


def test_lists_on_a_terminal_have_short_ids_and_drop_columns_as_it_gets_narrower(
    words: dict[str, list[str]], done: str
) -> None:
    headers = {}
    for columns in (40, 60, 100):
        _, printed = run_in_child(["list"], columns)
        assert done[:8] in printed
        assert done not in printed
        headers[columns] = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed).splitlines()[0].split()
    assert headers[40][:3] == ["ID", "JOB", "STATUS"]
    assert len(headers[40]) < len(headers[60]) < len(headers[100])
    assert done in run("list").stdout


def test_options_and_what_they_take_are_spelled_in_one_way() -> None:
    for name, parameter in PARAMETERS:
        takes_nothing = getattr(parameter, "is_flag", False)
        kind = parameter.type_descriptor.annotation
        is_choice = get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))
        assert takes_nothing or is_choice or parameter.metavar in METAVARS, (name, parameter.name)


def test_an_option_means_the_same_in_every_command() -> None:
    kinds: dict[str, set[str]] = {}
    for _, parameter in PARAMETERS:
        for option in parameter.opts:
            if option.startswith("--"):
                kinds.setdefault(option, set()).add(str(parameter.metavar))
    # What starts a stack says what runs a service; what uses it names the service.
    assert kinds.pop("--service") == {"NAME", "NAME=FILE"}
    assert {option: seen for option, seen in kinds.items() if len(seen) > 1} == {}


def test_every_id_may_be_abbreviated() -> None:
    ids = [(name, parameter) for name, parameter in PARAMETERS if parameter.metavar == "ID"]
    assert ids
    for name, parameter in ids:
        assert parameter.type_descriptor.parameter_info.parser is parse_id, name


def test_an_id_is_found_by_how_it_begins_and_the_last_one_by_a_hyphen(
    service: OrchestrationService, done: str, aggregate: Callable[[], list[Any]]
) -> None:
    newest = service.kick_off_job("other", []).id
    assert aggregate() == []
    assert json.loads(run("show", done[:8], "--json").stdout)["orchestration"]["orchestration_id"] == done
    assert json.loads(run("show", "-", "--json").stdout)["orchestration"]["orchestration_id"] == newest


def test_what_was_just_kicked_off_is_the_last_one_though_the_history_has_it_not_yet(done: str) -> None:
    kicked_off = run("kick-off", "halve", stdin='{"n": 2}').stdout.strip()
    assert json.loads(run("show", "-", "--json").stdout)["orchestration"]["orchestration_id"] == kicked_off


def test_an_abbreviation_of_several_ids_is_refused_with_all_of_them(
    service: OrchestrationService, aggregate: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = [f"0b0e3f3c-1c58-4c0e-9d54-00000000000{n}" for n in (1, 2)]
    for one in alike:
        monkeypatch.setattr(
            "background_jobs.orchestration_service.kick_off.uuid", Mock(uuid4=Mock(return_value=one))
        )
        service.kick_off_job("other", [])
    assert aggregate() == []
    refused = run("show", "0b0e")
    assert refused.exit_code == 2
    assert all(one in refused.stderr for one in alike)
    assert "Write more of the id." in refused.stderr


def test_an_id_is_abbreviated_to_four_characters_at_least() -> None:
    refused = run("show", "0b0")
    assert refused.exit_code == 2
    assert "'0b0' is too short for an id: 4 characters or more." in refused.stderr


@pytest.mark.parametrize("text", [UNKNOWN[:8], "nightly"])
def test_what_begins_no_id_is_no_orchestration(text: str, done: str) -> None:
    refused = run("show", text)
    assert refused.exit_code == 2
    assert f"There is no orchestration '{text}' here." in refused.stderr


def test_without_any_orchestration_a_hyphen_is_refused_with_a_sentence() -> None:
    refused = run("show", "-")
    assert refused.exit_code == 2
    assert "Nothing was kicked off here yet" in refused.stderr
