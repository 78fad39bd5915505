"""`background-jobs local`, as a user runs it: what comes out, and that nothing stays behind."""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from background_jobs.local_stack.processes import STACK_ID
from tests.offline import until

JOBS = """
import time
from background_jobs import job_name, run_e11_job

@job_name("nap")
def nap(params):
    time.sleep(params["seconds"])
    return params["seconds"]

if __name__ == "__main__":
    run_e11_job([nap])
"""
KICK_OFF = """
import sys
from background_jobs import OrchestrationService
seconds = float(sys.argv[1])
service = OrchestrationService()
orchestration = service.kick_off_job("nap", [{"seconds": seconds}] * 4, parallelism=2)
print("kicked off", flush=True)
print(len(service.get_job_results(orchestration.id).successes), flush=True)
"""
KICK_OFF_AND_LEAVE = """
from background_jobs import OrchestrationService
print(OrchestrationService().kick_off_job("nap", [{"seconds": 600}] * 4, parallelism=2).id)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder outside of the repository, with a team's own jobs."""
    (tmp_path / "my_jobs.py").write_text(JOBS)
    (tmp_path / "kick_off.py").write_text(KICK_OFF)
    return tmp_path


@pytest.fixture
def variables(folder: Path) -> Iterator[dict[str, str]]:
    """Variables with a mark, by which all processes that inherit them are found again."""
    mark = str(folder)
    yield {**os.environ, "XDG_STATE_HOME": str(folder), "TMPDIR": str(folder), "TEST_MARK": mark}
    survivors = find_marked(mark)
    for process in survivors:
        process.kill()
    assert survivors == []


def find_marked(mark: str) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def command(*words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("background-jobs")), "local", *words]


def run_command(folder: Path, variables: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*words), cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def start_command(
    folder: Path, variables: dict[str, str], *words: str, out: str = "out"
) -> "subprocess.Popen[str]":
    with (folder / out).open("w") as output:
        return subprocess.Popen(
            command(*words),
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
            text=True,
        )


def servers(variables: dict[str, str]) -> list[psutil.Process]:
    return [
        p for p in find_marked(variables["TEST_MARK"]) if "background_jobs.local_stack.server" in p.cmdline()
    ]


def containers(variables: dict[str, str]) -> list[psutil.Process]:
    return [
        p
        for p in psutil.process_iter()
        if "JOB_NAME" in _environ(p) and str(variables["TEST_MARK"]) in _cmdline(p)
    ]


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _cmdline(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_a_teams_own_jobs_run_in_its_own_folder(folder: Path, variables: dict[str, str]) -> None:
    done = run_command(
        folder, variables, "run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "0"
    )
    assert (done.returncode, done.stdout) == (0, "kicked off\n4\n"), done.stderr
    assert "Starting the offline stack" in done.stderr


def test_a_helper_process_of_the_jobs_module_holds_up_nothing_and_ends_with_the_stack(
    folder: Path, variables: dict[str, str]
) -> None:
    helper = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n"
    (folder / "with_helper.py").write_text(helper + JOBS)
    done = run_command(
        folder, variables, "run", "--jobs", "with_helper.py", "--", sys.executable, "kick_off.py", "0"
    )
    assert (done.returncode, done.stdout) == (0, "kicked off\n4\n"), done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_the_stack_comes_up_without_standard_input_or_output(
    folder: Path, variables: dict[str, str], closed: str
) -> None:
    words = shlex.join(command("run", "--jobs", "my_jobs.py", "--", "touch", "ran"))
    done = subprocess.run(
        f"{words} {closed}", shell=True, cwd=folder, env=variables, stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "ran").exists()


def test_variables_for_python_and_for_other_emulators_do_not_reach_the_stack(
    folder: Path, variables: dict[str, str]
) -> None:
    hostile = {"PYTHONWARNINGS": "error", "SERVICES": "s3", "AUTH": "true", "LAMBDA_STRICT": "1"}
    done = run_command(
        folder, variables | hostile, "run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "0"
    )
    assert (done.returncode, done.stdout) == (0, "kicked off\n4\n"), done.stderr


def test_jobs_may_be_a_module(folder: Path, variables: dict[str, str]) -> None:
    done = run_command(
        folder, variables, "run", "--jobs", "my_jobs", "--", "printenv", "BACKGROUND_JOBS_JOB_NAMES"
    )
    assert (done.returncode, done.stdout) == (0, "nap\n"), done.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [(["sh", "-c", "exit 3"], 3), (["sh", "-c", "kill -9 $$"], 137), (["no-such-command"], 127)],
)
def test_the_status_is_that_of_the_command(
    folder: Path, variables: dict[str, str], words: list[str], status: int
) -> None:
    assert run_command(folder, variables, "run", "--jobs", "my_jobs.py", "--", *words).returncode == status


def test_no_file_of_a_stack_is_left_whose_functions_have_worked(
    folder: Path, variables: dict[str, str]
) -> None:
    # given an empty folder for temporary files, and /tmp, where the emulator writes whatever that folder is
    temporary, emulators = folder / "temporary", Path("/tmp")
    temporary.mkdir()
    before = list(emulators.glob("ministack*"))
    # when a stack has run a job, and ended
    words = ["run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "0"]
    done = run_command(folder, variables | {"TMPDIR": str(temporary)}, *words)
    # then the one is empty again, and the other has no more of the emulator's than before
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
    assert list(emulators.glob("ministack*")) == before


def test_a_module_of_the_user_that_hides_one_of_the_emulators_is_named_as_the_reason(
    folder: Path, variables: dict[str, str]
) -> None:
    # given a module with the name of a library, and without what the library has
    (folder / "modules").mkdir()
    (folder / "modules" / "hypercorn.py").touch()
    shadowed = variables | {"PYTHONPATH": str(folder / "modules")}
    # when a stack is started
    done = run_command(folder, shadowed, "run", "--jobs", "my_jobs.py", "--", "true")
    # then the error has the end of the traceback
    assert done.returncode == 2
    assert "'hypercorn' is not a package" in done.stderr


def test_files_of_the_project_with_the_names_of_libraries_hinder_no_stack(
    folder: Path, variables: dict[str, str]
) -> None:
    # given modules of the project that are called as what the emulator and the API import
    for name in ("hypercorn", "fastapi"):
        (folder / f"{name}.py").touch()
    # when jobs are run, and the API is asked
    ask = "import os, urllib.request as r; r.urlopen(os.environ['BACKGROUND_JOBS_API_URL'] + '/jobs')"
    script = f'{sys.executable} kick_off.py 0 && {sys.executable} -c "{ask}"'
    done = run_command(folder, variables, "run", "--jobs", "my_jobs.py", "--", "sh", "-c", script)
    # then they do not mind
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "encoding",
    [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "utf-16"}],
    ids=["locale", "streams"],
)
def test_jobs_run_whatever_encoding_the_user_has_set(
    folder: Path, variables: dict[str, str], encoding: dict[str, str]
) -> None:
    # given an encoding in which no code of the service can be written, and no line of a function read,
    # and jobs that are described in other characters
    described = JOBS.replace("def nap(params):", 'def nap(params):\n    """Größer als 0, 東京."""')
    (folder / "my_jobs.py").write_text(described, encoding="utf-8")
    words = ["run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "0"]
    # when jobs are run
    process = start_command(folder, variables | encoding, *words)
    # then they complete
    assert process.wait(240) == 0, (folder / "out").read_bytes()


def test_what_the_command_leaves_behind_ends_with_the_stack(folder: Path, variables: dict[str, str]) -> None:
    done = run_command(
        folder, variables, "run", "--jobs", "my_jobs.py", "--", "sh", "-c", "setsid sleep 600 & exit 0"
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_ending_the_command_line_in_the_middle_of_a_job_leaves_no_process(
    folder: Path, variables: dict[str, str], number: signal.Signals, status: int
) -> None:
    # given containers at work
    cli = start_command(
        folder, variables, "run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "600"
    )
    until(lambda: containers(variables))

    # when the command line is interrupted, as a terminal does it: the whole group; or killed alone
    if number is signal.SIGINT:
        os.killpg(cli.pid, number)
    else:
        cli.send_signal(number)

    # then it is gone, and so is everything that it started
    assert cli.wait(timeout=120) == status
    until(lambda: not find_marked(variables["TEST_MARK"]) and not containers(variables))


def test_a_stack_that_dies_ends_the_command_and_says_so(folder: Path, variables: dict[str, str]) -> None:
    cli = start_command(
        folder, variables, "run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "600"
    )
    until(lambda: containers(variables))
    (server,) = servers(variables)
    server.kill()
    assert cli.wait(timeout=120) == 143
    assert "The offline stack ended by itself" in (folder / "out").read_text()
    until(lambda: not find_marked(variables["TEST_MARK"]) and not containers(variables))


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        ("nowhere.py", "there is no such file"),
        ("nowhere", "neither a file nor a module"),
        ("syntax_error.py", "SyntaxError"),
        ("no_jobs.py", "without a call of run_e11_job([...])"),
    ],
)
def test_jobs_that_cannot_run_are_refused_before_the_command_runs(
    folder: Path, variables: dict[str, str], jobs: str, message: str
) -> None:
    (folder / "syntax_error.py").write_text("def f(:\n")
    (folder / "no_jobs.py").write_text("x = 1\n")
    done = run_command(folder, variables, "run", "--jobs", jobs, "--", "touch", "ran")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--containers", "3"], "say what it runs with --jobs FILE"),
        (["--jobs", "my_jobs.py", "--image", "billing:1"], "leave out --jobs, --service and --python"),
        (["--jobs", "my_jobs.py", "--memory", "512"], "--memory needs --image"),
        (["--image", "billing:1"], "--image billing:1: there is no `docker` on the PATH"),
    ],
)
def test_options_that_do_not_say_how_jobs_are_to_run_are_refused_before_the_command_runs(
    folder: Path, variables: dict[str, str], words: list[str], message: str
) -> None:
    # given a machine without Docker
    done = run_command(folder, {**variables, "PATH": str(folder)}, "run", *words, "--", "touch", "ran")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (folder / "ran").exists()


def test_a_stack_that_stays_is_found_used_and_taken_down(folder: Path, variables: dict[str, str]) -> None:
    assert run_command(folder, variables, "status").returncode == 4

    # when it is brought up, and what it printed is exported
    up = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    assert up.returncode == 0, up.stderr
    script = f"{up.stdout}\nexec {sys.executable} kick_off.py 0"
    used = subprocess.run(
        ["sh", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert used.stdout == "kicked off\n4\n", used.stderr

    # then other commands find it, and a second one is not started
    status = json.loads(run_command(folder, variables, "status", "--json").stdout)
    assert (status["up"], status["job_names"], status["containers"]) == (True, ["nap"], 0)
    # and its console answers at the address that both printed
    assert f"The console is at {status['console']}\n" in up.stderr
    with urllib.request.urlopen(status["console"]) as page:
        assert b"<title>Background jobs</title>" in page.read()
    # and its API knows the jobs as well
    body = json.dumps({"job_name": "nup", "params": [{}]}).encode()
    request = urllib.request.Request(
        f"{status['console']}orchestrations", body, {"content-type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert (refused.value.code, json.load(refused.value)["error"]) == (422, "UnknownJobName")
    again = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    assert again.stdout == up.stdout
    assert "was up already" in again.stderr
    assert run_command(folder, variables, "up").stdout == up.stdout

    # and other options are refused, with what differs
    (folder / "other.py").write_text(JOBS)
    other = run_command(
        folder, variables, "up", *("--jobs", "other.py", "--containers", "77", "--port", "1234")
    )
    assert (other.returncode, other.stdout) == (2, "")
    assert (
        f"it runs {sys.executable} {folder / 'my_jobs.py'}, not {sys.executable} {folder / 'other.py'}; "
        in (other.stderr)
    )
    most, port = status["containers_at_most"], status["endpoint"].rpartition(":")[2]
    assert f"--containers is {most}, not 77; --port is {port}, not 1234." in other.stderr
    assert "end it first, with what it runs and its history: background-jobs local down" in other.stderr

    # and `down`, called twice, ends everything but what the shell itself had started
    own = {name: value for name, value in variables.items() if name != "TEST_MARK"}
    with subprocess.Popen(["sh", "-c", f"{up.stdout}\nexec sleep 600"], env=own) as own_process:
        assert run_command(folder, variables, "down").returncode == 0
        assert find_marked(variables["TEST_MARK"]) == []
        assert list(folder.glob("background-jobs-*")) == []
        assert own_process.poll() is None
        own_process.kill()
    assert "No offline stack is up" in run_command(folder, variables, "down").stderr


def test_the_note_of_a_stack_that_died_is_not_believed(folder: Path, variables: dict[str, str]) -> None:
    """`up` would otherwise hand out the address of nothing."""
    run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    (server,) = servers(variables)
    server.kill()
    assert run_command(folder, variables, "status").returncode == 4
    until(lambda: not find_marked(variables["TEST_MARK"]))
    assert run_command(folder, variables, "down").returncode == 0


def test_two_stacks_keep_apart(folder: Path, variables: dict[str, str]) -> None:
    """Neither has the port or the id of the other, so ending one leaves the other alone."""
    words = ("run", "--jobs", "my_jobs.py", "--", "printenv", STACK_ID, "AWS_ENDPOINT_URL")
    both = [start_command(folder, variables, *words, out=out) for out in ("one", "other")]
    assert [cli.wait(timeout=60) for cli in both] == [0, 0]
    first, second = ((folder / out).read_text().splitlines() for out in ("one", "other"))
    assert len(first) == len(second) == 4
    assert set(first) & set(second) == {"Starting the offline stack ..."}


def test_each_folder_has_a_stack_of_its_own(folder: Path, variables: dict[str, str]) -> None:
    """Otherwise `up` hands out the address of another team's jobs, and `down` ends them."""
    # given a stack of one folder
    other = folder / "other"
    other.mkdir()
    (other / "my_jobs.py").write_text(JOBS.replace('"nap"', '"rest"'))
    first = run_command(folder, variables, "up", "--jobs", "my_jobs.py")

    # then it is no stack of another folder, whose commands name it and leave it alone
    for words in (("status",), ("down",), ("run", "--", "true")):
        absent = run_command(other, variables, *words)
        said = absent.stdout + absent.stderr
        assert f"No offline stack is up for {other}." in said
        assert str(folder) in said.partition("There is one for each of ")[2].partition(";")[0].split(", ")

    # and that folder can have one too
    second = run_command(other, variables, "up", "--jobs", "my_jobs.py")
    listed = run_command(folder, variables, "list", "--json").stdout.splitlines()
    assert {str(folder), str(other)} <= {json.loads(line)["project"] for line in listed}
    jobs = [json.loads(run_command(place, variables, "status", "--json").stdout) for place in (folder, other)]
    assert [facts["job_names"] for facts in jobs] == [["nap"], ["rest"]]
    assert first.stdout != second.stdout

    # and ends its own alone
    run_command(other, variables, "down")
    assert run_command(folder, variables, "status").stdout.startswith("up\ttrue\n")
    run_command(folder, variables, "down")
    assert find_marked(variables["TEST_MARK"]) == []


def test_two_that_bring_up_a_stack_at_once_share_one(folder: Path, variables: dict[str, str]) -> None:
    both = [start_command(folder, variables, "up", "--jobs", "my_jobs.py", out=out) for out in ("one", "two")]
    assert [cli.wait(timeout=120) for cli in both] == [0, 0]
    texts = [(folder / out).read_text() for out in ("one", "two")]
    assert sum("The offline stack was up already" in text for text in texts) == 1
    exports = [sorted(line for line in text.splitlines() if "export" in line) for text in texts]
    assert exports[0] == exports[1]
    assert len(servers(variables)) == 1
    run_command(folder, variables, "down")
    assert find_marked(variables["TEST_MARK"]) == []


def test_a_stack_whose_start_was_killed_is_ended_by_the_next_command(
    folder: Path, variables: dict[str, str]
) -> None:
    # given jobs that never name themselves, so that `up` waits
    (folder / "slow.py").write_text("import time\ntime.sleep(600)\n")
    cli = start_command(folder, variables, "up", "--jobs", "slow.py")
    until(lambda: servers(variables))
    cli.kill()
    cli.wait(timeout=60)

    # when another is brought up
    up = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    assert up.returncode == 0, up.stderr

    # then it is the only one, and `down` leaves nothing
    assert len(servers(variables)) == 1
    run_command(folder, variables, "down")
    assert servers(variables) == []
    for process in find_marked(variables["TEST_MARK"]):
        process.kill()  # the module of jobs that was asked for its names
        process.wait(60)


@pytest.mark.parametrize("damage", ["half a note", "gone"])
def test_a_stack_whose_note_is_damaged_or_gone_can_be_ended(
    folder: Path, variables: dict[str, str], damage: str
) -> None:
    # given
    run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    (note,) = (folder / "background-jobs").glob("*.json")
    if damage == "gone":
        note.unlink()
    else:
        note.write_bytes(note.read_bytes()[:100])

    # then commands say what to do
    done = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    assert done.returncode == 2
    assert str(note) in done.stderr
    assert "`background-jobs local down` ends the stack without it" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(servers(variables)) == 1

    # and that does it
    assert run_command(folder, variables, "down").returncode == 0
    assert find_marked(variables["TEST_MARK"]) == []
    assert list(folder.glob("background-jobs-*")) == []
    assert not note.exists()


def test_a_stack_that_cannot_be_noted_is_not_started(folder: Path, variables: dict[str, str]) -> None:
    """A folder of the state that is a file, for the tests may run as a user that may write anywhere."""
    (folder / "state").write_text("")
    done = run_command(
        folder, {**variables, "XDG_STATE_HOME": str(folder / "state")}, "up", "--jobs", "my_jobs.py"
    )
    assert done.returncode == 2
    assert "cannot be noted in" in done.stderr
    assert "set XDG_STATE_HOME to a folder that is" in done.stderr
    assert find_marked(variables["TEST_MARK"]) == []


def test_a_port_that_is_taken_is_named(folder: Path, variables: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_command(folder, variables, "up", "--jobs", "my_jobs.py", "--port", port)
    assert done.returncode == 2
    assert f"Port {port}: Address already in use. Choose another" in done.stderr


CALL = """
import sys
from background_jobs import OrchestrationService, ServiceUnreachable
service = OrchestrationService()
calls = {
    "kick_off": lambda: service.kick_off_job("nap", [{"seconds": 0}]),
    "status": lambda: service.orchestration(sys.argv[1]).status(),
    "watch": lambda: list(service.orchestration(sys.argv[1]).watch()),
    "results": lambda: service.get_job_results(sys.argv[1]),
}
for name in sys.argv[2:]:
    try:
        calls[name]()
    except ServiceUnreachable as error:
        print(error)
"""


def test_a_stack_that_was_killed_takes_its_containers_with_it_and_callers_are_told(
    folder: Path, variables: dict[str, str]
) -> None:
    # given containers at work in a stack that stays, at a port that was chosen
    (folder / "call.py").write_text(CALL)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    up = run_command(folder, variables, "up", "--jobs", "my_jobs.py", "--port", port)
    kick_off = f"{up.stdout}\n{sys.executable} -c '{KICK_OFF_AND_LEAVE}'"
    orchestration_id = run_script(folder, variables, kick_off).strip()
    until(lambda: containers(variables))

    # when its process is killed
    (server,) = servers(variables)
    server.kill()

    # then nothing of it runs on, and whoever calls is told what to do
    until(lambda: not find_marked(variables["TEST_MARK"]) and not containers(variables))
    call = f"{up.stdout}\nunset BACKGROUND_JOBS_API_URL\nexec {sys.executable} call.py {orchestration_id}"
    assert "an offline stack may have ended" in run_script(folder, variables, f"{call} status")

    # and so are callers of the old one, once another is at its address, lest their work seem never to have been
    run_command(folder, variables, "up", "--jobs", "my_jobs.py", "--port", port)
    told = run_script(folder, variables, f"{call} kick_off status watch results").splitlines()
    assert len(told) == 4
    assert all("has ended, and another one answers at its address" in line for line in told)
    run_command(folder, variables, "down")


def test_down_ends_what_a_stack_left_behind_whose_watchdog_was_killed_too(
    folder: Path, variables: dict[str, str]
) -> None:
    up = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
    run_script(folder, variables, f"{up.stdout}\n{sys.executable} -c '{KICK_OFF_AND_LEAVE}'")
    until(lambda: containers(variables))
    for process in [*find_marked(variables["TEST_MARK"])]:
        with contextlib.suppress(psutil.NoSuchProcess):  # another may have ended meanwhile
            words = process.cmdline()
            if "background_jobs.local_stack.server" in words or "background-jobs watchdog" in str(words):
                process.kill()
    assert containers(variables)

    assert run_command(folder, variables, "down").returncode == 0

    assert not find_marked(variables["TEST_MARK"])
    assert not containers(variables)


def run_script(folder: Path, variables: dict[str, str], script: str) -> str:
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout
