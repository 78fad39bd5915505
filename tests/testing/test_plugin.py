"""The pytest plugin, in a repository of a user's own that has nothing but jobs and tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

JOBS = """
from background_jobs import job_name, run_e11_job

@job_name("double")
def double(params):
    return 2 * params["n"]

@job_name("sleepy")
def sleepy(params):
    import time
    time.sleep(600)

if __name__ == "__main__":
    run_e11_job([double, sleepy])
"""


def run_tests(
    folder: Path, tests: str, *options: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run pytest in a folder with the jobs above and one file of tests."""
    (folder / "work.py").write_text(JOBS, encoding="utf-8")
    (folder / "test_work.py").write_text(tests, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(folder)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_opens_a_twin_and_code_under_test_finds_it(tmp_path: Path) -> None:
    outcome = run_tests(
        tmp_path,
        """
from background_jobs import OrchestrationService
from work import double

def kick_off():
    return OrchestrationService().kick_off_job(double, [{"n": 2}])

def test_doubles(background_jobs):
    background_jobs([double])
    assert [success.result for success in kick_off().results().successes] == [4]

def test_a_second_twin_knows_nothing_of_the_first(background_jobs):
    jobs = background_jobs([double])
    assert jobs.service.history().summaries == []
""",
    )

    assert (outcome.returncode, outcome.stdout.splitlines()[-1].split(" in ")[0]) == (0, "2 passed"), (
        outcome.stdout
    )


def test_what_asks_for_a_twin_never_reaches_aws(tmp_path: Path) -> None:
    outcome = run_tests(
        tmp_path,
        """
import boto3
import os
import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from work import double

made_before = boto3.Session().client("s3", region_name="eu-west-1", config=Config(connect_timeout=1))

def test_nothing_listens(background_jobs):
    background_jobs([double])
    with pytest.raises(RuntimeError, match="s3.eu-west-1.amazonaws.com was to be called"):
        made_before.list_buckets()
    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(EndpointConnectionError, match="127.0.0.1"):
        client.list_tables()

def test_other_tests_keep_their_account():
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert boto3.Session().get_credentials().access_key == os.environ["AWS_ACCESS_KEY_ID"] == "ours"
    assert boto3.client("s3")._request_signer._credentials.access_key == "ours"
""",
        AWS_ACCESS_KEY_ID="ours",
        AWS_SECRET_ACCESS_KEY="secret",
    )

    assert outcome.returncode == 0, outcome.stdout


def test_a_setting_keeps_all_tests_away_from_aws(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nbackground_jobs_forbid_aws = true\n", encoding="utf-8")

    outcome = run_tests(
        tmp_path,
        """
import os

def test_there_is_no_account():
    assert "AWS_PROFILE" not in os.environ
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
""",
        AWS_PROFILE="prod",
    )

    assert outcome.returncode == 0, outcome.stdout


def test_tests_on_the_offline_stack_share_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nbackground_jobs_file = work.py\n", encoding="utf-8")

    outcome = run_tests(
        tmp_path,
        """
import boto3
import pytest
from background_jobs import OrchestrationService, Stage
from work import double

stacks = set()
session = boto3.Session(aws_access_key_id="ours", aws_secret_access_key="ours")
made_before = [
    session.client("sqs", "eu-west-1", endpoint_url=url)
    for url in (None, "https://sqs.eu-west-1.amazonaws.com.", "https://sqs.cn-north-1.api.amazonwebservices.com.cn")
]

def test_runs_and_leaves_something_running(offline_stack, offline_service):
    stacks.add(offline_stack.stack_id)
    orchestration = OrchestrationService().kick_off_job("double", [{"n": 2}], key="same", then=Stage("sleepy", params=[{}]))
    offline_service.kick_off_job("sleepy", [{}])
    offline_service.schedule_job("nightly", "double", [{"n": 1}], cron="0 3 * * *")
    assert [success.result for success in orchestration.results(60).successes] == [4]

def test_finds_nothing_of_the_test_before(offline_stack, offline_service):
    stacks.add(offline_stack.stack_id)
    assert offline_service.history().summaries == []
    assert offline_service.schedules() == []
    again = offline_service.kick_off_job("double", [{"n": 2}])
    assert [success.result for success in again.results(60).successes] == [4]
    assert [summary.orchestration_id for summary in offline_service.history().summaries] == [again.id]
    assert len(stacks) == 1
    for client in made_before:
        with pytest.raises(RuntimeError, match="does not reach AWS"):
            client.list_queues()
""",
    )

    assert (outcome.returncode, outcome.stdout.splitlines()[-1].split(" in ")[0]) == (0, "2 passed"), (
        outcome.stdout
    )


def test_a_test_with_a_twin_and_the_offline_stack_is_refused(tmp_path: Path) -> None:
    outcome = run_tests(tmp_path, "def test_with_both(background_jobs, offline_service): pass")

    assert "make two tests of it" in outcome.stdout
    assert outcome.stdout.splitlines()[-1].split(" in ")[0] == "1 error"


@pytest.mark.parametrize("option", ["no:background_jobs", "xdist"])
def test_tests_run_without_the_plugin_and_under_xdist(tmp_path: Path, option: str) -> None:
    outcome = run_tests(tmp_path, "def test_passes(): pass", "-p", option)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_session_without_its_fixtures_imports_nothing_of_the_service(tmp_path: Path) -> None:
    outcome = run_tests(
        tmp_path,
        """
import sys

def test_is_light():
    loaded = {name for name in sys.modules if name.startswith("background_jobs")}
    assert loaded == {"background_jobs", "background_jobs.garbage", "background_jobs.testing",
                      "background_jobs.testing.plugin", "background_jobs.testing.variables"}
    assert "botocore" not in sys.modules
""",
    )

    assert outcome.returncode == 0, outcome.stdout


def test_a_missing_main_of_the_jobs_is_refused_with_the_setting_that_names_it(tmp_path: Path) -> None:
    # given no jobs.py, and no setting that names another file
    outcome = run_tests(tmp_path, "def test_runs(offline_service):\n    pass\n", "--rootdir", str(tmp_path))
    # then
    assert outcome.returncode != 0
    assert f"There is no {tmp_path / 'jobs.py'}: name the main of your jobs with background_jobs_file" in (
        outcome.stdout
    )
