"""`background-jobs kick-off`: where params come from, and what it prints for people and for programs."""

from pathlib import Path

import pytest

from background_jobs.aws.stores import Stores
from background_jobs.core.views.orchestration import KickOffAnswer, OrchestrationPage
from tests.adapters.cli.commands import run


def test_a_kick_off_prints_only_the_id_and_tells_people_how_to_watch(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("n,customer\n2,acme\n3,zeta\n")
    words = ["--parallelism", "1", "--tag", "customer=acme", "--tag", "note=a=b", "--max-attempts", "4"]

    done = run(
        "kick-off", "halve", str(tmp_path / "p.csv"), *words, "--timeout", "2h", "--service", "billing"
    )

    assert done.exit_code == 0, done.output
    orchestration_id = done.stdout.strip()
    assert done.stderr == (
        f"Kicked off halve with 2 instances:\nWatch it: background-jobs watch {orchestration_id}\n"
    )
    started = stores.event_log.read_started(orchestration_id)
    assert (started.total, started.parallelism, started.service) == (2, 1, "billing")
    assert started.tags == {"customer": "acme", "note": "a=b"}
    assert started.retry is not None
    assert started.retry.max_attempts == 4
    assert started.deadline is not None
    assert (started.deadline - started.at).total_seconds() == 7_200
    assert list(stores.payloads.lines(started.params_key)) == [
        b'{"n":"2","customer":"acme"}',
        b'{"n":"3","customer":"zeta"}',
    ]


def test_params_come_from_standard_input_and_a_key_finds_the_first_kick_off() -> None:
    first = run("kick-off", "halve", "-", "--key", "nightly", "--json", stdin='{"n": 2}\n')
    second = run("kick-off", "halve", "--key", "nightly", "--json", stdin='[{"n": 2}]')
    other = run("kick-off", "halve", "--key", "nightly", stdin='{"n": 4}')
    assert first.stdout == second.stdout
    assert KickOffAnswer.model_validate_json(first.stdout).job_name == "halve"
    assert (first.stderr, other.exit_code) == ("", 2)
    assert "The key 'nightly' belongs to orchestration" in other.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"n": 2}\n\n[3]\n', "standard input, line 3: they must be a JSON object"),
        ('{"n": 2}\n{"n": NaN}\n', "standard input, line 2: they cannot be written as JSON"),
        ('[{"n": 2}, 3]', "standard input, line 1, index 1: they must be a JSON object"),
        ('{"n": 2}\n{"n": }\n', "standard input, line 2: not JSON"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_started(text: str, message: str) -> None:
    refused = run("kick-off", "halve", stdin=text)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"Error: {message}")
    assert refused.stderr.endswith("Nothing was started.\n")
    assert OrchestrationPage.model_validate_json(run("list", "--json").stdout).items == []
