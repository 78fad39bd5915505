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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from background_jobs.local_stack.processes import STACK_ID
from tests.local_stack import shells
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
    return write_jobs(tmp_path)


def write_jobs(folder: Path) -> Path:
    (folder / "my_jobs.py").write_text(JOBS)
    (folder / "kick_off.py").write_text(KICK_OFF)
    return folder


@pytest.fixture
def variables(folder: Path) -> Iterator[dict[str, str]]:
    with marked_variables(folder) as variables:
        yield variables


@contextlib.contextmanager
def marked_variables(folder: Path) -> Iterator[dict[str, str]]:
    """Yield variables with a mark, by which all processes that inherit them are found again."""
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
    """Run a command that is forked, for a test that minds what it does, and not how Python starts."""
    return shells.run(folder, variables, "local", *words)


def run_program(folder: Path, variables: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as the program that is installed."""
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


Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Ended(NamedTuple):
    """A command with a stack around it that has ended."""

    status: int
    out: str
    err: str
    folder: Path
    survivors: list[list[str]]
    """The words of each process that it left behind."""


def run_to_its_end(
    folder: Path, *words: str, run: Run = run_program, also: Mapping[str, str] | None = None
) -> Ended:
    """Run a command around a stack in a folder with jobs; *also* has more variables."""
    with marked_variables(folder) as variables:
        done = run(folder, {**variables, **(also or {})}, "run", *words)
        survivors = []
        for process in find_marked(variables["TEST_MARK"]):
            with contextlib.suppress(psutil.NoSuchProcess):
                survivors.append(process.cmdline())
                process.kill()
                process.wait(60)
    return Ended(done.returncode, done.stdout, done.stderr, folder, survivors)


@pytest.fixture(scope="module")
def kicked_off(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A script that has run jobs, with an empty folder for temporary files."""
    folder = write_jobs(tmp_path_factory.mktemp("kicked_off"))
    (folder / "temporary").mkdir()
    before = emulators_files()
    words = ("--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py", "0")
    ended = run_to_its_end(folder, *words, also={"TMPDIR": str(folder / "temporary")})
    (folder / "left").write_text("\n".join(sorted(emulators_files() - before)))
    return ended


def emulators_files() -> set[str]:
    """Return the files in /tmp, where the emulator writes whatever the folder for temporary files is."""
    return {str(path) for path in Path("/tmp").glob("ministack*")}


def test_a_teams_own_jobs_run_in_its_own_folder(kicked_off: Ended) -> None:
    assert (kicked_off.status, kicked_off.out) == (0, "kicked off\n4\n"), kicked_off.err
    assert "Starting the offline stack" in kicked_off.err
    assert kicked_off.survivors == []


def test_no_file_of_a_stack_is_left_whose_functions_have_worked(kicked_off: Ended) -> None:
    assert kicked_off.status == 0, kicked_off.err
    assert list((kicked_off.folder / "temporary").iterdir()) == []
    assert (kicked_off.folder / "left").read_text() == ""


@pytest.fixture(scope="module")
def with_helpers(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Jobs whose module starts a process, and a command that runs them, leaves one behind, and exits with 3."""
    folder = write_jobs(tmp_path_factory.mktemp("with_helpers"))
    helper = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n"
    (folder / "with_helper.py").write_text(helper + JOBS)
    script = f"{sys.executable} kick_off.py 0 ; setsid sleep 601 & exit 3"
    return run_to_its_end(folder, "--jobs", "with_helper.py", "--", "sh", "-c", script)


def test_a_helper_process_of_the_jobs_module_holds_up_nothing_and_ends_with_the_stack(
    with_helpers: Ended,
) -> None:
    assert with_helpers.out == "kicked off\n4\n", with_helpers.err
    assert ["sleep", "600"] not in with_helpers.survivors


def test_what_the_command_leaves_behind_ends_with_the_stack(with_helpers: Ended) -> None:
    assert with_helpers.status == 3, with_helpers.err
    assert with_helpers.survivors == []


@pytest.fixture(scope="module")
def of_a_module(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Jobs that are named as a module, and a command that kills itself."""
    folder = write_jobs(tmp_path_factory.mktemp("of_a_module"))
    script = "printenv BACKGROUND_JOBS_JOB_NAMES; kill -9 $$"
    return run_to_its_end(folder, "--jobs", "my_jobs", "--", "sh", "-c", script, run=run_command)


def test_jobs_may_be_a_module(of_a_module: Ended) -> None:
    assert of_a_module.out == "nap\n", of_a_module.err
    assert of_a_module.survivors == []


def test_the_status_is_that_of_the_command(with_helpers: Ended, of_a_module: Ended) -> None:
    assert (with_helpers.status, of_a_module.status) == (3, 137)


def test_the_status_of_a_command_that_is_not_there_is_that_of_a_shell(
    folder: Path, variables: dict[str, str]
) -> None:
    done = run_command(folder, variables, "run", "--jobs", "my_jobs.py", "--", "no-such-command")
    assert done.returncode == 127


class Closed(NamedTuple):
    """A command with a stack around it, whose streams are closed."""

    status: int
    lines: list[str]
    """The id and the address of its stack, and what was said."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Closed]:
    """Commands without standard input, output or both; the first two run at once."""
    folder = write_jobs(tmp_path_factory.mktemp("closed"))
    with marked_variables(folder) as variables, ThreadPoolExecutor(2) as pool:

        def run(number: int, streams: str) -> Closed:
            print_names = f"printenv {STACK_ID} AWS_ENDPOINT_URL > ran-{number}"
            words = shlex.join(command("run", "--jobs", "my_jobs.py", "--", "sh", "-c", print_names))
            done = subprocess.run(
                f"{words} {streams}",
                shell=True,
                cwd=folder,
                env=variables,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            ran = folder / f"ran-{number}"
            lines = (ran.read_text() if ran.exists() else "") + done.stderr
            return Closed(done.returncode, lines.splitlines())

        streams = ("<&-", ">&-", "<&- >&-")
        return dict(zip(streams, pool.map(run, range(3), streams), strict=True))


@pytest.mark.parametrize("streams", ["<&-", ">&-", "<&- >&-"])
def test_the_stack_comes_up_without_standard_input_or_output(closed: dict[str, Closed], streams: str) -> None:
    assert closed[streams].status == 0, closed[streams].lines
    assert len(closed[streams].lines) == 4


def test_two_stacks_keep_apart(closed: dict[str, Closed]) -> None:
    """Neither has the port or the id of the other, so ending one leaves the other alone."""
    first, second = closed["<&-"], closed[">&-"]
    assert first.status == second.status == 0
    assert len(first.lines) == len(second.lines) == 4
    assert set(first.lines) & set(second.lines) == {"Starting the offline stack ..."}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Variables for Python and for emulators, and files of the project that are called as libraries.

    They are those that the emulator and the API import. The command runs jobs, and asks the API.
    """
    folder = write_jobs(tmp_path_factory.mktemp("hostile"))
    for name in ("hypercorn", "fastapi"):
        (folder / f"{name}.py").touch()
    ask = "import os, urllib.request as r; r.urlopen(os.environ['BACKGROUND_JOBS_API_URL'] + '/jobs')"
    script = f'{sys.executable} kick_off.py 0 && {sys.executable} -c "{ask}"'
    variables = {"PYTHONWARNINGS": "error", "SERVICES": "s3", "AUTH": "true", "LAMBDA_STRICT": "1"}
    return run_to_its_end(folder, "--jobs", "my_jobs.py", "--", "sh", "-c", script, also=variables)


def test_variables_for_python_and_for_other_emulators_do_not_reach_the_stack(hostile: Ended) -> None:
    assert (hostile.status, hostile.out) == (0, "kicked off\n4\n"), hostile.err


def test_files_of_the_project_with_the_names_of_libraries_hinder_no_stack(hostile: Ended) -> None:
    assert hostile.status == 0, hostile.err
    assert hostile.survivors == []


def test_a_module_of_the_user_that_hides_one_of_the_emulators_is_named_as_the_reason(
    folder: Path, variables: dict[str, str]
) -> None:
    # given a module with the name of a library, and without what the library has
    (folder / "modules").mkdir()
    (folder / "modules" / "hypercorn.py").touch()
    shadowed = variables | {"PYTHONPATH": str(folder / "modules")}
    # when a stack is started
    done = run_program(folder, shadowed, "run", "--jobs", "my_jobs.py", "--", "true")
    # then the error has the end of the traceback
    assert done.returncode == 2
    assert "'hypercorn' is not a package" in done.stderr


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


def test_a_folder_whose_name_the_locale_does_not_have_is_refused_in_a_sentence(
    folder: Path, variables: dict[str, str]
) -> None:
    project = folder / "Prüfung"
    project.mkdir()
    write_jobs(project)
    narrow = variables | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    done = run_program(project, narrow, "run", "--jobs", "my_jobs.py", "--", "true")
    assert done.returncode == 2
    assert "set LC_ALL=C.UTF-8 or PYTHONUTF8=1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("background-jobs-*"))


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
    assert run_program(folder, variables, "status").returncode == 4

    # when it is brought up, and what it printed is exported
    up = run_program(folder, variables, "up", "--jobs", "my_jobs.py")
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
        assert run_program(folder, variables, "down").returncode == 0
        assert find_marked(variables["TEST_MARK"]) == []
        assert list(folder.glob("background-jobs-*")) == []
        assert own_process.poll() is None
        own_process.kill()
    assert "No offline stack is up" in run_command(folder, variables, "down").stderr


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


class Up(NamedTuple):
    """A stack that stays."""

    folder: Path
    variables: dict[str, str]
    texts: list[str]
    """What the commands printed that brought it up."""
    servers: int
    """How many there were, once they had ended."""


@pytest.fixture(scope="module")
def up_twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A stack that two have brought up at once."""
    folder = write_jobs(tmp_path_factory.mktemp("up_twice"))
    with marked_variables(folder) as variables:
        words = ("up", "--jobs", "my_jobs.py")
        both = [start_command(folder, variables, *words, out=out) for out in ("one", "two")]
        assert [cli.wait(timeout=120) for cli in both] == [0, 0]
        texts = [(folder / out).read_text() for out in ("one", "two")]
        yield Up(folder, variables, texts, len(servers(variables)))
        run_command(folder, variables, "down")


@pytest.fixture(scope="module")
def up_again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A stack that was brought up after the start of another one was killed."""
    folder = write_jobs(tmp_path_factory.mktemp("up_again"))
    with marked_variables(folder) as variables:
        # given jobs that never name themselves, so that `up` waits
        (folder / "slow.py").write_text("import time\ntime.sleep(600)\n")
        cli = start_command(folder, variables, "up", "--jobs", "slow.py")
        until(lambda: servers(variables))
        cli.kill()
        cli.wait(timeout=60)
        # when another is brought up
        up = run_command(folder, variables, "up", "--jobs", "my_jobs.py")
        assert up.returncode == 0, up.stderr
        count = len(servers(variables))
        for process in find_marked(variables["TEST_MARK"]):
            if "slow.py" in _cmdline(process):
                process.kill()  # the module of jobs that was asked for its names
                process.wait(60)
        yield Up(folder, variables, [up.stdout], count)
        run_command(folder, variables, "down")


def test_two_that_bring_up_a_stack_at_once_share_one(up_twice: Up) -> None:
    assert sum("The offline stack was up already" in text for text in up_twice.texts) == 1
    exports = [sorted(line for line in text.splitlines() if "export" in line) for text in up_twice.texts]
    assert exports[0] == exports[1]
    assert up_twice.servers == 1


def test_a_stack_whose_start_was_killed_is_ended_by_the_next_command(up_again: Up) -> None:
    assert up_again.servers == 1
    # and its logs are gone, which no note names any more
    assert len(list(up_again.folder.glob("background-jobs-*"))) == 1


@pytest.mark.parametrize(("damage", "stack"), [("half a note", "up_twice"), ("gone", "up_again")])
def test_a_stack_whose_note_is_damaged_or_gone_can_be_ended(
    request: pytest.FixtureRequest, damage: str, stack: str
) -> None:
    # given
    folder, variables, *_ = request.getfixturevalue(stack)
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


class Killed(NamedTuple):
    """A stack whose process was killed while its containers worked, and another one at its address, too."""

    status: int
    """That of `local status` after the kill."""
    told: str
    """What a caller was told."""
    told_later: list[str]
    """What callers of the first one were told once another one was up."""
    exports: list[str]
    """What `local up` printed of each."""
    down: int
    """The status of `local down` after the second kill."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = write_jobs(tmp_path_factory.mktemp("killed"))
    with marked_variables(folder) as variables:

        def kill() -> None:
            (server,) = servers(variables)
            server.kill()

        def until_nothing_runs() -> None:
            until(lambda: not find_marked(variables["TEST_MARK"]) and not containers(variables))

        # given containers at work in a stack that stays, at a port that was chosen
        (folder / "call.py").write_text(CALL)
        with socket.create_server(("127.0.0.1", 0)) as free:
            words = ("up", "--jobs", "my_jobs.py", "--port", str(free.getsockname()[1]))
        up = run_command(folder, variables, *words)
        kick_off = f"{up.stdout}\n{sys.executable} -c '{KICK_OFF_AND_LEAVE}'"
        orchestration_id = run_script(folder, variables, kick_off).strip()
        until(lambda: containers(variables))
        # when its process is killed, and so is that of another one at its address
        kill()
        status = run_command(folder, variables, "status").returncode
        until_nothing_runs()
        call = f"{up.stdout}\nunset BACKGROUND_JOBS_API_URL\nexec {sys.executable} call.py {orchestration_id}"
        told = run_script(folder, variables, f"{call} status")
        again = run_command(folder, variables, *words)
        told_later = run_script(folder, variables, f"{call} kick_off status watch results").splitlines()
        kill()
        until_nothing_runs()
        down = run_command(folder, variables, "down").returncode
    return Killed(status, told, told_later, [up.stdout, again.stdout], down)


def test_the_note_of_a_stack_that_died_is_not_believed(killed: Killed) -> None:
    """`up` would otherwise hand out the address of nothing."""
    assert killed.status == 4
    first, second = killed.exports
    assert "export AWS_ENDPOINT_URL=" in second
    assert first != second
    assert killed.down == 0


def test_a_stack_that_was_killed_takes_its_containers_with_it_and_callers_are_told(killed: Killed) -> None:
    # nothing of it ran on, and whoever called was told what to do
    assert "an offline stack may have ended" in killed.told
    # and so were callers of the old one, once another was at its address, lest their work seem never to have been
    assert len(killed.told_later) == 4
    assert all("has ended, and another one answers at its address" in line for line in killed.told_later)


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
