"""`background-jobs find`."""

from background_jobs.core.views.found_instances import FoundInstance
from tests.adapters.cli.commands import run, run_on_terminal


def test_the_command_prints_them(done: str) -> None:
    in_a_pipe = run("find", "halve", "--param", "n=3")
    assert in_a_pipe.stdout.split("\t")[1:] == [done, "1", "Errored", '{"n": 3}', "ValueError: 3 is odd\n"]
    as_json = FoundInstance.model_validate_json(run("find", "halve", "--param", "n=3", "--json").stdout)
    assert (as_json.orchestration_id, as_json.instance.index) == (done, 1)
    shown = run_on_terminal("find", "halve", "--param", "n=3").stdout
    assert all(text in shown for text in ("KICKED OFF", done[:8], "Errored", "3 is odd"))


def test_the_command_says_where_there_is_none_or_may_be_more(done: str) -> None:
    none = run("find", "halve", "--param", 'n="3"')
    assert (none.exit_code, none.stdout) == (0, ""), none.stderr
    assert "There is none. A text that reads as JSON" in none.stderr
    assert "raise --limit" in run("find", "halve", "--param", "n=3", "--limit", "1").stderr
    refused = run("find", "halve", "--param", "three")
    assert refused.exit_code == 2
    assert "'three' names no value; write NAME=VALUE." in " ".join(refused.stderr.split())
