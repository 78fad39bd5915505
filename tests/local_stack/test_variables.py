"""Whatever variables and profiles a developer has, what runs under an offline stack reaches nothing else."""

import os
import pickle
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import ministack
import pytest
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from background_jobs.local_stack import LocalStack, LocalStackError
from background_jobs.local_stack.variables import (
    client_variables,
    emulator_settings,
    replace_variables,
    unwanted_variables,
)
from background_jobs.settings import Settings

SERVICES = ("dynamodb", "s3", "stepfunctions", "events", "ecs", "logs", "scheduler", "sts")
HARMLESS = {"DOCKER_HOST", "DOCKER_NETWORK", "HOSTNAME", "TMPDIR"}
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
JOBS = """
import boto3
from background_jobs import job_name, run_e11_job

tables = boto3.client("dynamodb").list_tables()["TableNames"]

@job_name("look")
def look(params):
    bucket = boto3.client("s3").list_buckets()["Buckets"][0]["Name"]
    return bool(tables and bucket)

if __name__ == "__main__":
    run_e11_job([look])
"""
KICK_OFF = """
import sys
from background_jobs import OrchestrationService
orchestration = OrchestrationService().kick_off_job("look", [{}, {}], parallelism=2)
for update in orchestration.watch():
    pass
print([success.result for success in orchestration.results().successes])
"""


class Elsewhere:
    """A proxy, or an endpoint of an account, that nobody may call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(60)
                self.calls.append(connection.recv(200))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    yield server
    server.close()


@pytest.fixture
def hostile(elsewhere: Elsewhere, tmp_path: Path) -> dict[str, str]:
    """Every variable that can lead a client elsewhere, and a profile that does the same."""
    settings = (
        f"region = eu-west-1\nendpoint_url = {elsewhere.url}\nignore_configured_endpoint_urls = true\n"
        "use_fips_endpoint = true\nuse_dualstack_endpoint = true\n"
    )
    (tmp_path / "aws_config").write_text(f"[default]\n{settings}[profile team]\n{settings}")
    (tmp_path / "aws_credentials").write_text(
        "[team]\naws_access_key_id = real\naws_secret_access_key = real\n"
    )
    return {
        **dict.fromkeys(PROXIES, elsewhere.url),
        **{
            f"AWS_ENDPOINT_URL_{service.upper()}": elsewhere.url
            for service in (*SERVICES, "sfn", "eventbridge")
        },
        "AWS_ENDPOINT_URL": elsewhere.url,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_PROFILE": "team",
        "AWS_DEFAULT_PROFILE": "team",
        "AWS_CONFIG_FILE": str(tmp_path / "aws_config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws_credentials"),
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_ACCOUNT_ID": "123456789012",
        "AWS_CA_BUNDLE": "/nowhere/ca.pem",
        "AWS_CSM_ENABLED": "true",
        "BACKGROUND_JOBS_SERVICE_NAMES": "billing",
        "BACKGROUND_JOBS_API_URL": elsewhere.url,
    }


def test_the_service_of_a_stack_reaches_it_alone_whatever_the_variables_of_this_process_say(
    hostile: dict[str, str], elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the variables of a developer who works with an account through a proxy, and two stacks
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text(JOBS.replace('"look"', f'"look_{name}"'))
    before = dict(os.environ)
    with LocalStack(str(tmp_path / "one.py")) as one, LocalStack(str(tmp_path / "other.py")) as other:
        # when both are used in this process
        first, second = one.service(), other.service()
        orchestrations = [
            first.kick_off_job("look_one", [{}, {}], tags={"of": "one"}),
            second.kick_off_job("look_other", [{}]),
        ]
        # then each does its own work, watched by its API and read from its model
        for orchestration, total in zip(orchestrations, (2, 1), strict=True):
            assert list(orchestration.watch())[-1].summary.completed == total
            assert [success.result for success in orchestration.results().successes] == [True] * total
        assert [job.name for job in first.jobs()] == ["look_one"]
        assert [job.name for job in second.jobs()] == ["look_other"]
        assert first.schedules() == second.schedules() == []
        assert [summary.orchestration_id for summary in first.history().summaries] == [orchestrations[0].id]
        # and a handle goes to other processes
        assert pickle.loads(pickle.dumps(orchestrations[1])).done()
    # and nothing is left in this process, and nobody else was called
    assert dict(os.environ) == before
    assert elsewhere.calls == []


def test_a_stack_that_is_not_up_has_no_service(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(JOBS)
    with pytest.raises(LocalStackError, match="was not started: use it as `with LocalStack"):
        LocalStack(str(tmp_path / "one.py")).service()


def test_no_variable_and_no_profile_leads_a_process_under_the_stack_elsewhere(
    hostile: dict[str, str], elsewhere: Elsewhere, tmp_path: Path
) -> None:
    """The jobs' module, a container, the functions, the API and the command all call AWS here."""
    # given the variables of a developer who works with an account through a proxy
    (tmp_path / "my_jobs.py").write_text(JOBS)
    (tmp_path / "kick_off.py").write_text(KICK_OFF)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text((tmp_path / "aws_config").read_text())
    words = ["local", "run", "--jobs", "my_jobs.py", "--", sys.executable, "kick_off.py"]

    # when jobs run
    done = subprocess.run(
        [str(Path(sys.executable).with_name("background-jobs")), *words],
        cwd=tmp_path,
        env={**os.environ, **hostile, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    # then they ran here, and nobody called elsewhere
    assert (done.stdout, elsewhere.calls) == ("[True, True]\n", []), done.stderr


def test_clients_in_a_test_reach_the_stack_once_its_variables_are_applied(
    hostile: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    variables = client_variables(4566, "caller")

    # when a test applies them
    for name in unwanted_variables(os.environ, variables):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    # then its clients of every service know the stack alone
    session = boto3.Session()
    for service in SERVICES:
        assert session.client(service).meta.endpoint_url == "http://127.0.0.1:4566"
    credentials = session.get_credentials()
    assert credentials is not None
    assert (credentials.access_key, credentials.token) == ("test", None)


def test_every_variable_that_botocore_reads_is_replaced_or_removed() -> None:
    """A new version of botocore may read new ones."""
    read = [variable for _, variable, *_ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()]
    names = {name for variable in read for name in (variable if isinstance(variable, list) else [variable])}
    environ = dict.fromkeys(filter(None, names), "hostile")
    # BOTO_DISABLE_COMMONNAME is about certificates, and the stack has none.
    left = [name for name, value in _replaced(environ).items() if value == "hostile" and "AWS" in name]
    assert left == []


def test_no_variable_of_the_users_is_taken_for_a_setting_of_the_emulator() -> None:
    """A new version of the emulator may read new ones; those of LocalStack have the same names."""
    # given every variable that the emulator reads
    sources = [path.read_text() for path in Path(ministack.__file__).parent.rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'environ\.get\(\s*"([A-Z]\w+)"', source)}
    assert read > {"SERVICES", "AUTH", "PERSIST_STATE", "LAMBDA_STRICT"}

    # then all are left out, but for what says where things are on this machine
    left = read.difference(emulator_settings(dict.fromkeys(read, "")))
    assert {name for name in left if not name.startswith("AWS_")} <= HARMLESS


def test_what_is_the_users_own_stays() -> None:
    environ = {"PATH": "/bin", "HTTP_PROXY": "http://proxy", "BACKGROUND_JOBS_POLL_SECONDS": "2"}
    assert _replaced(environ).items() >= environ.items()


def test_the_hosts_that_the_user_excepted_from_the_proxy_stay_excepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "intra.example, 10.0.0.0/8")
    monkeypatch.setenv("no_proxy", "localhost")
    variables = client_variables(4566, "caller")
    expected = "localhost,intra.example,10.0.0.0/8,127.0.0.1,host.docker.internal"
    assert (variables["NO_PROXY"], variables["no_proxy"]) == (expected, expected)


def test_settings_of_another_environment_go() -> None:
    mine = Settings(
        environment="local", event_log_table="e", read_model_table="r", payload_bucket="p"
    ).to_env()
    environ = {
        **dict.fromkeys(Settings.variable_names(), "of the deployed one"),
        "BACKGROUND_JOBS_STACK_ID": "1",
    }
    assert replace_variables(environ, mine) == {**mine, "BACKGROUND_JOBS_STACK_ID": "1"}


def _replaced(environ: dict[str, str]) -> dict[str, str]:
    return replace_variables(environ, client_variables(4566, "caller"))
