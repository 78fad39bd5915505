"""The command line on the offline stack: on a terminal, in a pipe, and interrupted."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from background_jobs import OrchestrationService
from background_jobs.cli.lines import UpdateView
from background_jobs.core.statuses import State
from background_jobs.local_stack import LocalStack
from tests.local_stack import shells
from tests.offline import until
from tests.terminal import Terminal

COMMAND = Path(sys.executable).with_name("background-jobs")
PATIENCE = 120


def run(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return shells.run(Path.cwd(), dict(os.environ), *words, stdin=stdin)


@pytest.fixture(params=["over server-sent events", "over the read model"])
def both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "over the read model":
        monkeypatch.delenv("BACKGROUND_JOBS_API_URL")


@pytest.mark.usefixtures("both_ways")
def test_a_kick_off_is_watched_on_a_terminal_to_its_end(tmp_path: Path) -> None:
    # given instances that say how far they are once they are watched, and one that errors
    watched, release = tmp_path / "watched", tmp_path / "release"
    params = tmp_path / "params.jsonl"
    lingers = (0, 0, "never")
    params.write_text(
        "".join(
            json.dumps({"after": str(watched), "until": str(release), "linger": linger}) + "\n"
            for linger in lingers
        )
    )
    words = ("kick-off", "report", params, "--parallelism", "3", "--watch")
    with Terminal(COMMAND, *words, columns=100) as terminal:
        until(lambda: "2 running   1 waiting" in terminal.text)
        watched.touch()
        # then their bars move while they run
        # (polled, because the screen may be read while they are drawn)
        until(lambda: terminal.text.count("10 %  reading") == 2)
        until(lambda: "0 of 3 (0 %)" in terminal.text)
        until(lambda: "2 running   1 waiting" in terminal.text)
        assert terminal.hides_cursor()
        # and the final state stays on the screen
        release.touch()
        assert terminal.status() == 1
        assert "3 of 3 (100 %)" in terminal.text
        assert "#2 TypeError: " in terminal.text
        assert "2 completed   1 errored" in terminal.text
        assert "took " in terminal.text
        assert "See why: background-jobs failures " in terminal.text
        assert "reading" not in terminal.text
        assert not terminal.hides_cursor()
        assert terminal.colours("2 completed") == {"green"}
        assert terminal.colours("1 errored") == {"red"}


@pytest.mark.usefixtures("both_ways")
def test_a_pipeline_is_kicked_off_and_watched_stage_by_stage_on_a_terminal(tmp_path: Path) -> None:
    params = tmp_path / "params.jsonl"
    params.write_text('{"values": [1]}\n{"values": [2, 3]}\n')
    words = ("kick-off", "total", params, "--then", "fussy", "--then", "exit", "--watch")
    with Terminal(COMMAND, *words, columns=100) as terminal:
        assert terminal.status() == 0
        # then the final state of each stage stays on the screen, in order
        lines = [
            line for line in terminal.text.splitlines() if line.startswith(("total  ", "fussy  ", "exit  "))
        ]
        assert [line.split()[0] for line in lines] == ["total", "fussy", "exit"]
        assert terminal.text.count("2 of 2 (100 %)") == 3
        assert terminal.text.count("2 completed") == 3


@pytest.mark.usefixtures("both_ways")
def test_a_late_watcher_sees_the_progress_of_every_instance(
    service: OrchestrationService, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    orchestration = service.kick_off_job("report", [{"until": str(release)}])
    until(lambda: any(update.advances for update in orchestration.watch()))
    with Terminal(COMMAND, "watch", orchestration.id) as terminal:
        until(lambda: "10 %" in terminal.text)
        release.touch()
        assert terminal.status() == 0
        assert "1 completed" in terminal.text


def test_ctrl_c_stops_watching_and_says_how_to_come_back(
    service: OrchestrationService, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    params = [{"running": str(tmp_path / "running"), "until": str(release)}]
    orchestration = service.kick_off_job("patient", params)
    with Terminal(COMMAND, "watch", orchestration.id) as terminal:
        until(lambda: "1 running" in terminal.text)
        terminal.press_ctrl_c()
        assert terminal.status() == 130
        assert "Stopped watching. 1 of 1 instances have no outcome yet, and go on." in terminal.text
        assert f"Come back: background-jobs watch {orchestration.id}" in terminal.text
        assert f"End it:    background-jobs cancel {orchestration.id}" in terminal.text
        assert "Traceback" not in terminal.text
        assert not terminal.hides_cursor()
    # and the work went on
    release.touch()
    assert orchestration.wait(PATIENCE).completed == 1


def test_a_watcher_sees_a_cancellation_by_somebody_else(
    service: OrchestrationService, tmp_path: Path
) -> None:
    params = [{"running": str(tmp_path / "running"), "until": str(tmp_path / "release")}]
    orchestration = service.kick_off_job("patient", params)
    with subprocess.Popen(
        [COMMAND, "watch", orchestration.id], stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        next(line for line in watching.stdout if "1 running" in line)
        orchestration.cancel()
        cancelling, *_, last = watching.stdout
    assert "0 of 1 (0 %): 1 running; " in cancelling
    assert cancelling.endswith(", being cancelled\n")
    assert "1 of 1 (100 %): 1 errored; took " in last


def test_sigterm_shows_the_cursor_again(service: OrchestrationService, tmp_path: Path) -> None:
    params = [{"running": str(tmp_path / "running"), "until": str(tmp_path / "release")}]
    orchestration = service.kick_off_job("patient", params)
    with Terminal(COMMAND, "watch", orchestration.id) as terminal:
        until(terminal.hides_cursor)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.status() == 143
        assert not terminal.hides_cursor()
    orchestration.cancel()


def test_watching_ends_in_time_with_the_status_of_timeout(
    service: OrchestrationService, tmp_path: Path
) -> None:
    params = [{"running": str(tmp_path / "running"), "until": str(tmp_path / "release")}]
    orchestration = service.kick_off_job("patient", params)
    watched = run("watch", orchestration.id, "--timeout", "1s")
    assert watched.returncode == 124
    assert f"Orchestration {orchestration.id} was not done after 1 s: " in watched.stderr
    assert f"background-jobs watch {orchestration.id}" in watched.stderr
    orchestration.cancel()


def test_a_pipe_gets_a_line_when_the_percentage_rises(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job(
        "fussy", [{"bad": f"apple {n}"} if n % 2 else {} for n in range(1_000)], parallelism=2
    )
    command: list[str | Path] = [COMMAND, "watch", orchestration.id]
    watched = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (watched.returncode, "\x1b" in watched.stdout) == (1, False)
    first, *lines, last = [line.split("\t")[1] for line in watched.stdout.splitlines()]
    assert first == f"fussy {orchestration.id}"
    assert last.startswith("1,000 of 1,000 (100 %): 500 completed, 500 errored; took ")
    # of 500 failures of one cause, three are printed
    failures = [line for line in lines if " errored: " in line]
    assert len(failures) == 3
    assert all(line.endswith("ValueError: apple " + line[1:].split()[0] + " is bad") for line in failures)
    assert len(lines) < 110


def test_shell_scripts_can_go_on_by_the_exit_status() -> None:
    script = f"{COMMAND} kick-off fussy --watch >/dev/null 2>&1 && echo next || echo status $?"
    for text, printed in (("{}\n{}\n", "next"), ('{}\n{"bad": "apple"}\n', "status 1"), ("{", "status 2")):
        answer = subprocess.run(
            ["sh", "-c", script], input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert answer.stdout == f"{printed}\n"


@pytest.mark.usefixtures("both_ways")
def test_programs_get_every_update_as_a_line_of_json(service: OrchestrationService) -> None:
    kicked_off = run("kick-off", "fussy", "--watch", "--json", stdin='{"bad": "x"}\n{}\n{}\n')
    assert (kicked_off.returncode, kicked_off.stderr) == (1, "")
    updates = [UpdateView.model_validate_json(line) for line in kicked_off.stdout.splitlines()]
    ended = {
        move.index: move.state
        for update in updates
        for move in update.transitions
        if move.state in {State.COMPLETED, State.ERRORED}
    }
    assert ended == {0: State.ERRORED, 1: State.COMPLETED, 2: State.COMPLETED}
    counts = updates[-1].orchestration.counts
    assert (counts.completed, counts.errored, counts.waiting) == (2, 1, 0)


def test_a_reader_that_closes_the_pipe_is_no_error(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("total", [{"values": [n]} for n in range(2_000)], parallelism=2)
    orchestration.wait(PATIENCE)
    piped = f"{COMMAND} results --json {orchestration.id} | head -n 1"
    answer = subprocess.run(
        ["sh", "-c", piped], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert json.loads(answer.stdout)["result"]["total"] == 0
    assert answer.stderr == ""


def test_a_table_of_results_fits_the_terminal(service: OrchestrationService) -> None:
    orchestration = service.kick_off_job("total", [{"values": [n] * 50} for n in range(30)], parallelism=1)
    orchestration.wait(PATIENCE)
    with Terminal(COMMAND, "results", orchestration.id, "--limit", "20", columns=90) as terminal:
        assert terminal.status() == 0
        header, *rows, note = terminal.text.splitlines()
    assert header.split() == ["INDEX", "TOOK", "PARAMS", "RESULT"]
    assert [row.split()[0] for row in rows] == [str(n) for n in range(20)]
    assert all(len(row) <= 90 and "…" in row for row in rows)
    assert note.startswith("20 of 30 are shown")


def test_the_log_of_an_instance_is_followed_to_its_outcome(
    service: OrchestrationService, stack: LocalStack, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    orchestration = service.kick_off_job("talkative", [{"until": str(release)}], parallelism=1)
    command: list[str | Path] = [COMMAND, "logs", orchestration.id, "0", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        before = next(line for line in following.stdout if "before" in line)
        release.touch()
        rest = following.stdout.read()
        assert following.wait(PATIENCE) == 0
    assert (before.split("\t")[1:], "\t0\tafter\n" in rest) == (["0", "before\n"], True)
    assert str(stack.folder) in run("logs", orchestration.id, "--places").stdout
