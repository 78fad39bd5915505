"""Containers that are forked from one process: each is what a process of its own would be."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from background_jobs.core.job_descriptions import JobDescription
from background_jobs.local_stack.forking_launcher import ForkingLauncher
from background_jobs.local_stack.jobs_main import JobsMain
from background_jobs.local_stack.launchers import MainNotLoaded
from background_jobs.local_stack.process_runner import ProcessContainer, ProcessContainers
from background_jobs.local_stack.service_launcher import ServiceLauncher
from background_jobs.local_stack.variables import client_variables
from background_jobs.worker.descendants import adopting_orphans
from tests.offline import is_running, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere containers are not forked")

ASK_FOR_FORKS = """
from background_jobs import job_name, run_e11_job

@job_name("nothing")
def nothing(params):
    pass

run_e11_job([nothing])
"""
"""What follows it runs in the container, whose variables say that another process holds the share."""

READS = (
    "open('0.env').read()",
    "pathlib.Path('1.env').read_text()",
    "io.open('2.env', 'rb').read().decode()",
)
READING = f"""
rules = {{'.env': open('.env').read()}}
from background_jobs import run_e11_job
import io, pathlib
for number, rule in enumerate([{", ".join(READS)}]):
    rules[f'{{number}}.env'] = rule
try:
    rules['missing.env'] = open('missing.env').read()
except FileNotFoundError:
    rules['missing.env'] = 'none'
"""

COUNT_LOADS = "print('loaded', open('loads', 'a').write('x'), flush=True)\n"


@contextlib.contextmanager
def variables_of_no_test() -> Iterator[None]:
    """Take away what pytest says of the test that runs, for jobs are loaded anew when a variable differs."""
    with pytest.MonkeyPatch.context() as process:
        process.delenv("PYTEST_CURRENT_TEST", raising=False)
        yield


class Team:
    """A folder with a jobs' main, and the containers that run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        self.launcher = ForkingLauncher([sys.executable, str(folder / "main.py")], folder / "logs")
        shared = client_variables(1, "container")
        launcher = ServiceLauncher({"default": self.launcher})
        self.containers = ProcessContainers(launcher, shared, folder / "logs", limit=4)

    def write_main(self, before: str = "", after: str = "") -> None:
        (self.folder / "main.py").write_text(COUNT_LOADS + before + ASK_FOR_FORKS + after)

    def start(self, **variables: str) -> ProcessContainer:
        name = f"container-{len(list((self.folder / 'logs').rglob('container-*')))}"
        own = {"BACKGROUND_JOBS_HOLDER": "0", "JOB_NAME": "nothing", **variables}
        with variables_of_no_test():
            return self.containers.run("image", environment=own, name=name)

    def prepare(self) -> None:
        with variables_of_no_test():
            self.containers.prepare()

    def run(self, **variables: str) -> str:
        """Return what a container printed, which ended with exit code 0."""
        container = self.start(**variables)
        assert container.wait() == {"StatusCode": 0}, read_log(container)
        return read_log(container)

    @property
    def loads(self) -> int:
        return len((self.folder / "loads").read_text())


@pytest.fixture(scope="module")
def adopted() -> Iterator[None]:
    """Have this process adopt containers, as that of a stack does, while the tests run."""
    with adopting_orphans():
        yield


@pytest.fixture
def team(adopted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.chdir(tmp_path)
    team = Team(tmp_path)
    yield team
    team.launcher.close()


@pytest.fixture(scope="module")
def loaded_team(adopted: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("loaded"))
    team.write_main(
        before="import os; os.environ['SET_WHILE_LOADED'] = 'yes'\n",
        after="import os; exec(os.environ.get('JOB_PARAMS_KEY', ''), {})",
    )
    with pytest.MonkeyPatch.context() as process:
        process.chdir(team.folder)
        team.prepare()
        until((team.folder / "loads").exists)
    yield team
    team.launcher.close()


@pytest.fixture
def shared_team(loaded_team: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team whose main is loaded once for several tests; its containers do what JOB_PARAMS_KEY says, which differs from share to share."""
    monkeypatch.chdir(loaded_team.folder)
    return loaded_team


@pytest.fixture(scope="module")
def team_of_readers(adopted: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(tmp_path_factory.mktemp("reading"))
    for name in (*(f"{number}.env" for number in range(len(READS))), ".env"):
        (team.folder / name).write_text("RULE=first")
    team.write_main(before=READING, after="print(rules)")
    yield team
    team.launcher.close()


@pytest.fixture
def reading_team(team_of_readers: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A team whose main reads files in every way while it is loaded, and an env file before anything else."""
    monkeypatch.chdir(team_of_readers.folder)
    return team_of_readers


def read_log(container: ProcessContainer) -> str:
    logged = container.logs()
    assert isinstance(logged, bytes)
    return logged.decode()


def processes_of(team: Team) -> list[psutil.Process]:
    """Return the server and the containers; other tests of this process may have children, too."""
    main = str(team.folder / "main.py")
    running = [child for child in psutil.Process().children() if is_running(child.pid)]
    return [child for child in running if main in child.cmdline()]


def follow(container: ProcessContainer, line: str) -> None:
    until(lambda: line in read_log(container))


def test_the_jobs_are_loaded_once_and_their_output_is_in_every_log(shared_team: Team) -> None:
    do = "import os; print('ran', os.environ['JOB_ID'])"

    logs = [shared_team.run(JOB_ID=job_id, JOB_PARAMS_KEY=do) for job_id in ("a", "b", "c")]

    assert shared_team.loads == 1
    assert logs == [f"loaded 1\nran {job_id}\n" for job_id in ("a", "b", "c")]


def test_jobs_are_loaded_before_the_first_container_comes(team: Team) -> None:
    team.write_main()
    team.prepare()
    until((team.folder / "loads").exists)
    team.run()
    assert team.loads == 1


def test_the_jobs_that_were_loaded_are_named(shared_team: Team) -> None:
    """So the stack need not load them once more to know their names."""
    assert shared_team.containers.find_jobs() == {"default": [JobDescription(name="nothing")]}
    assert shared_team.loads == 1


def test_jobs_that_cannot_be_loaded_are_not_named(team: Team) -> None:
    team.write_main(before="raise SystemExit('no such database')")
    team.prepare()
    assert team.containers.find_jobs() == {"default": None}


def test_a_forked_container_has_what_a_process_of_its_own_has(shared_team: Team) -> None:
    do = (
        "import json, os, sys, time\n"
        "fds = [f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd') if int(number) > 2]\n"
        "left = [os.readlink(fd) for fd in fds if os.path.lexists(fd)]\n"
        "print(json.dumps([dict(os.environ), os.getsid(0) == os.getpid(), os.getppid(), os.getcwd(), left]))\n"
        "print('waits', flush=True); time.sleep(600)"
    )
    container = shared_team.start(
        JOB_ID="a", JOB_PARAMS_KEY=do, AWS_CONTAINER_CREDENTIALS_FULL_URI="http://away"
    )
    follow(container, "waits")

    variables, leads_session, parent, folder, left = json.loads(read_log(container).splitlines()[1])
    assert variables["JOB_ID"] == "a"
    assert variables["BACKGROUND_JOBS_LOG"] == str(container.log)
    assert variables["SET_WHILE_LOADED"] == "yes"
    assert {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "BACKGROUND_JOBS_FORK_SERVER"}.isdisjoint(variables)
    assert (leads_session, parent, folder) == (True, os.getpid(), str(shared_team.folder))
    # libffi leaves its own library open on some Linux
    assert [target for target in left if "libffi" not in target] == []
    (process,) = [child for child in processes_of(shared_team) if "JOB_ID" in child.environ()]
    assert process.environ() == variables
    container.remove(force=True)
    assert container.wait() == {"StatusCode": 128 + signal.SIGKILL}


@pytest.mark.parametrize(
    ("after", "exit_code", "logged"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("raise ValueError('spoilt')", 1, "ValueError: spoilt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 128 + signal.SIGTERM, ""),
        ("import atexit; atexit.register(print, 'handlers are called')", 0, "handlers are called"),
    ],
)
def test_a_forked_container_ends_as_a_process_does(
    shared_team: Team, after: str, exit_code: int, logged: str
) -> None:
    container = shared_team.start(JOB_PARAMS_KEY=after)
    assert container.wait() == {"StatusCode": exit_code}
    assert logged in read_log(container)


def test_a_killed_container_leaves_no_forked_process_in_a_session_of_its_own(shared_team: Team) -> None:
    container = shared_team.start(
        JOB_PARAMS_KEY="import os, time\nif os.fork() == 0:\n    os.setsid(); print('child', os.getpid(), flush=True)\ntime.sleep(600)"
    )
    follow(container, "child")
    pid = int(read_log(container).split()[-1])

    container.remove(force=True)

    container.wait()
    assert not is_running(pid)


def test_what_was_edited_is_loaded_again(team: Team) -> None:
    (team.folder / "rules.py").write_text("RULE = 'first'\n")
    team.write_main(before="import rules", after="print(rules.RULE)")
    assert "first" in team.run()

    (team.folder / "rules.py").write_text("RULE = 'another'\n")

    assert "another" in team.run()
    assert "another" in team.run()
    assert team.loads == 2


def test_a_container_runs_on_with_what_it_had_when_a_file_is_edited(team: Team) -> None:
    team.write_main(
        after="import time\nwhile not __import__('os').path.exists('go'): time.sleep(0.02)\nprint('old')"
    )
    old = team.start()
    follow(old, "loaded")
    team.write_main(after="print('new')")
    assert "new" in team.run()

    (team.folder / "go").touch()

    assert old.wait() == {"StatusCode": 0}
    assert "old" in read_log(old)


def test_a_file_that_is_spoilt_by_an_edit_fails_its_containers_until_it_is_mended(team: Team) -> None:
    team.write_main()
    team.run()

    (team.folder / "main.py").write_text("def broken(:\n")
    container = team.start()
    assert container.wait() == {"StatusCode": 1}
    assert "SyntaxError" in read_log(container)

    team.write_main(after="print('mended')")
    assert "mended" in team.run()


@pytest.mark.parametrize("number", range(len(READS)), ids=READS)
def test_what_the_main_reads_while_it_is_loaded_is_read_again_when_it_was_edited(
    reading_team: Team, number: int
) -> None:
    """Such as an env file."""
    edit_what_is_read(reading_team, f"{number}.env", before="RULE=first")


def test_an_env_file_that_is_read_before_anything_else_is_read_again_when_it_was_edited(
    reading_team: Team,
) -> None:
    edit_what_is_read(reading_team, ".env", before="RULE=first")


def test_a_file_that_was_missing_is_read_once_it_is_there(reading_team: Team) -> None:
    edit_what_is_read(reading_team, "missing.env", before="none")


def edit_what_is_read(team: Team, name: str, *, before: str) -> None:
    """Write a file that the main reads, and find that the next container has it, by a single load."""
    assert f"{name!r}: {before!r}" in team.run()
    loads = team.loads

    (team.folder / name).write_text("RULE=another")

    assert f"{name!r}: 'RULE=another'" in team.run()
    assert f"{name!r}: 'RULE=another'" in team.run()
    assert team.loads == loads + 1


def test_an_orchestration_goes_on_with_what_it_began_with(team: Team) -> None:
    team.write_main(after="print('old')")
    assert "old" in team.run(ORCHESTRATION_ID="a")

    team.write_main(after="print('new')")
    assert "new" in team.run(ORCHESTRATION_ID="b")
    (team.folder / "main.py").write_text("def broken(:\n")

    assert "old" in team.run(ORCHESTRATION_ID="a")
    assert "new" in team.run(ORCHESTRATION_ID="b")
    broken = team.start(ORCHESTRATION_ID="c")
    assert broken.wait() == {"StatusCode": 1}
    assert "SyntaxError" in read_log(broken)


def test_few_are_kept_of_what_was_loaded_before(team: Team) -> None:
    for number in range(6):
        team.write_main(after=f"print('version', {number})")
        team.run(ORCHESTRATION_ID=f"o-{number}")
    assert len(processes_of(team)) == 4
    assert [team.run(ORCHESTRATION_ID=f"o-{number}").split()[-1] for number in (1, 2, 3, 4, 5)] == [
        *("5", "2", "3", "4", "5")
    ]


@pytest.mark.parametrize(
    "before",
    [
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import socket; connection = socket.socket()",
        "import subprocess; helper = subprocess.Popen(['sleep', '600'])",
        "data = open(__file__)",
        "import multiprocessing; lock = multiprocessing.Lock()",
        "import tempfile; folder = tempfile.TemporaryDirectory()",
        "from tempfile import mkdtemp; folder = mkdtemp(dir='.')",
        "import os; customer = os.environ.get('ORCHESTRATION_ID')",
        "import socket\ntry: socket.create_connection(('127.0.0.1', 9)).close()\nexcept OSError: pass",
    ],
)
def test_what_containers_could_not_each_have_to_themselves_is_loaded_by_each(team: Team, before: str) -> None:
    """A position in a file, a helper, a lock or a folder would be shared, and what was asked for be old."""
    team.write_main(
        before=f"from background_jobs import run_e11_job\nimport os\nmine = os.getpid()\n{before}\n",
        after="print(mine == os.getpid(), vars().get('customer'))",
    )

    log = team.run(ORCHESTRATION_ID="o-1")

    assert log.split()[-2:] == ["True", "o-1" if "customer" in before else "None"]


def test_why_each_container_loads_the_jobs_is_said_once(team: Team, caplog: pytest.LogCaptureFixture) -> None:
    team.write_main(before="data = open(__file__)")
    team.run()
    team.run()
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.endswith(f"their main left {team.folder / 'main.py'} open")


def test_a_main_that_ends_before_it_runs_jobs_ends_in_its_container(team: Team) -> None:
    team.write_main(before="raise SystemExit(3)")
    assert team.start().wait() == {"StatusCode": 3}


@pytest.mark.parametrize(
    "again",
    ["run_e11_job([nothing])", "import atexit; atexit.register(run_e11_job, [nothing])"],
)
def test_a_further_call_in_a_main_has_no_effect(team: Team, again: str) -> None:
    team.write_main(after=f"{again}\nprint('goes on', flush=True)")
    printed = team.run()
    assert "goes on" in printed
    assert "Traceback" not in printed


def test_containers_go_on_where_their_server_was_killed(team: Team) -> None:
    team.write_main(
        after="import time; print('runs', flush=True); time.sleep(600 * (__import__('os').environ['JOB_ID'] == 'waits'))"
    )
    waiting = team.start(JOB_ID="waits")
    follow(waiting, "runs")
    (server,) = [child for child in processes_of(team) if "JOB_ID" not in child.environ()]
    server.kill()
    until(lambda: not is_running(server.pid))

    assert "runs" in team.run(JOB_ID="ends")

    loads = [team.loads for _ in range(2) if team.run(JOB_ID="ends")]
    assert loads == [3, 3]  # by the server, the container after its end, and another server
    assert waiting.status == "running"
    waiting.remove(force=True)


def test_each_container_draws_random_numbers_of_its_own(team: Team) -> None:
    """NumPy's, which a fork keeps as they are; here by a module that stands for it."""
    team.write_main(
        before=(
            "import random, sys, types\nrandom.seed(1)\n"
            "numpy_random = sys.modules['numpy.random'] = types.ModuleType('numpy.random')\n"
            "numpy_random.seed = lambda: print('sown')\n"
        ),
        after="print(random.random())",
    )
    first, second = team.run().split(), team.run().split()
    assert first[-2] == second[-2] == "sown"
    assert first[-1] != second[-1]


def test_a_process_that_the_main_starts_serves_no_containers(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(ASK_FOR_FORKS + "print('not served')")
    variables = {**os.environ, "BACKGROUND_JOBS_FORK_SERVER": "0 1", "BACKGROUND_JOBS_HOLDER": "0"}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")], env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == "not served\n"


def test_while_an_edited_main_is_loaded_what_has_begun_goes_on_and_the_next_edit_counts_at_once(
    team: Team,
) -> None:
    """Everybody waited for a minute for a main that hung, also the containers that did not need it."""
    # given an orchestration that runs, and somebody who waits for an edited main that does not come to its end
    team.write_main(after="print('old')")
    team.prepare()
    assert team.containers.find_jobs()["default"]
    assert "old" in team.run(ORCHESTRATION_ID="begun")
    team.write_main(before="open('hangs', 'w')\nimport time\ntime.sleep(600)\n")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(team.launcher.reload_jobs)
        until((team.folder / "hangs").exists)

        # then containers of that orchestration are launched meanwhile
        assert "old" in team.run(ORCHESTRATION_ID="begun")
        assert not asked.done()

        # and who waits gets what the next edit has made of it
        team.write_main(after="print('new')")
        assert [job.name for job in asked.result(60) or ()] == ["nothing"]
    assert "new" in team.run(ORCHESTRATION_ID="next")


@pytest.mark.parametrize("main", ["import sys\nsys.exit(0)\n", "x = 1\n"])
def test_a_main_that_names_no_jobs_any_more_is_told_so(team: Team, main: str) -> None:
    team.write_main()
    team.prepare()
    team.containers.find_jobs()
    (team.folder / "main.py").write_text(main)
    with pytest.raises(MainNotLoaded, match="It ended without a call of run_e11_job"):
        team.launcher.reload_jobs()


def test_a_main_that_was_never_loaded_for_all_containers_is_not_asked_again(team: Team) -> None:
    """A main that runs jobs only where it finds the variables of a container was refused as edited."""
    (team.folder / "main.py").write_text(
        "import os\nif 'JOB_ID' in os.environ:\n    print('in a container')\n"
    )
    team.prepare()
    assert team.containers.find_jobs() == {"default": None}
    assert team.launcher.reload_jobs() is None
    assert "in a container" in team.run(JOB_ID="one")


def test_a_link_that_leads_elsewhere_is_an_edit(team: Team) -> None:
    (team.folder / "first.py").write_text(ASK_FOR_FORKS + "print('first')")
    (team.folder / "second.py").write_text(ASK_FOR_FORKS + "print('second')")
    link = team.folder / "main.py"
    link.symlink_to("first.py")
    assert list(JobsMain.find("main.py", sys.executable).command) == [sys.executable, str(link)]
    assert "first" in team.run()
    link.unlink()
    link.symlink_to("second.py")
    assert "second" in team.run()
