"""The real CDK CLI deploys into an empty account of the emulator: bootstrap, deploy, update, destroy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import boto3
import pytest

from background_jobs import OrchestrationService
from background_jobs.aws import clients
from background_jobs.local_stack import LocalStack
from background_jobs.settings import Settings
from tests.checkout import REPOSITORY

JOBS: Final = Path(__file__).with_name("jobs.py")
STACK: Final = "background-jobs-trial"
PATIENCE: Final = 120


class EmptyAccount(LocalStack):
    """An account with nothing in it."""

    server: ClassVar[str] = "tests.infrastructure.empty_account"


class Deployment:
    """The commands with which somebody deploys into that account."""

    def __init__(self, node: Path, folder: Path) -> None:
        self._folder = folder
        self._cli = [str(node / "node_modules" / "aws-cdk" / "bin" / "cdk")]
        session = boto3.Session()
        self.cloudformation: Any = session.client("cloudformation")
        self.dynamodb: Any = session.client("dynamodb")
        self.s3: Any = session.client("s3")

    def bootstrap(self) -> None:
        self._cdk("bootstrap", "aws://000000000000/us-east-1")

    def deploy(self, retention_days: int, **environment: str) -> None:
        app = f"--app={sys.executable} -m tests.infrastructure.trial_app"
        options = ["--require-approval=never", app, "--output=cdk.out"]
        self._cdk("deploy", *options, TRIAL_RETENTION_DAYS=str(retention_days), **environment)

    def destroy(self) -> None:
        # what was synthesized before
        self._cdk("destroy", "--force", "--app=cdk.out")

    def _cdk(self, *arguments: str, **environment: str) -> None:
        done = subprocess.run(
            ["node", *self._cli, *arguments, "--ci", "--no-notices"],
            # where no cdk.json is, which would have the repository's own app synthesized as well
            cwd=self._folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def settings(self) -> Settings:
        (stack,) = self.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return Settings.from_outputs(outputs).model_copy(update={"api_url": ""})

    def stored(self, settings: Settings) -> list[int]:
        """Return how many items and objects there are where an environment keeps its data."""
        tables = (settings.event_log_table, settings.read_model_table)
        counts = [self.dynamodb.scan(TableName=table, Select="COUNT")["Count"] for table in tables]
        return [*counts, self.s3.list_objects_v2(Bucket=settings.payload_bucket)["KeyCount"]]


@pytest.fixture(scope="module")
def deployment(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(REPOSITORY))  # where its server is
        environment.delenv("CDK_VALIDATION")  # deploy as everybody does
        with EmptyAccount(str(JOBS), containers=2) as account:
            for name in account.unwanted_variables:
                environment.delenv(name)
            for name, value in account.variables.items():
                if name.startswith("AWS_"):
                    environment.setenv(name, value)
            clients.forget_clients()
            yield Deployment(node, tmp_path_factory.mktemp("cdk.out"))
    clients.forget_clients()


def test_an_environment_lives_from_bootstrap_to_destroy(deployment: Deployment) -> None:
    # given an account that is bootstrapped, and an environment deployed into it
    deployment.bootstrap()
    deployment.deploy(retention_days=30)
    settings = deployment.settings()

    # then it runs jobs
    params = [{"n": 1}, {"n": -1}, {"n": 3}]
    orchestration = OrchestrationService(settings).kick_off_job("double", params, parallelism=2)
    successes, failures = orchestration.results(PATIENCE)
    assert [success.result for success in successes] == [2, 6]
    assert [failure.params for failure in failures or []] == [{"n": -1}]

    # when a setting changes, in which CDK's validation would find no more than before
    before = deployment.stored(settings)
    deployment.deploy(retention_days=60, CDK_VALIDATION="false")

    # then no table and no bucket was replaced
    changed = deployment.settings()
    assert changed == settings.model_copy(update={"retention_days": 60})
    assert deployment.stored(changed) >= before
    assert OrchestrationService(changed).orchestration(orchestration.id).results().successes == successes

    # when the stack is destroyed, after its protection was lifted
    deployment.cloudformation.update_termination_protection(
        StackName=STACK, EnableTerminationProtection=False
    )
    deployment.destroy()

    # then the data is still there
    with pytest.raises(deployment.cloudformation.exceptions.ClientError):
        deployment.cloudformation.describe_stacks(StackName=STACK)
    assert deployment.stored(settings) >= before
