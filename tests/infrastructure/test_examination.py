"""What operators and callers may do, against what `background-jobs doctor` asks and says that they may."""

from importlib.metadata import version
from typing import Final

import pytest

from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.control_plane.doctor import examine
from background_jobs.core.doctor.needs import Arns, needs_of_callers
from tests.examined import examined_aws
from tests.infrastructure.conftest import Synthesize, Template, of_type
from tests.infrastructure.policies import Request, allows
from tests.infrastructure.test_policies import policy_of, table
from tests.infrastructure.test_stack import BILLING, environment

ANYBODY: Final = {"sts:GetCallerIdentity"}
"""What nobody needs a permission for."""
ADMINISTRATORS: Final = {"iam:SimulatePrincipalPolicy"}
"""What tells about others, too; to an operator who may not, the answer is unknown."""
OTHER_NAMES: Final = {"s3:HeadBucket": "s3:ListBucket", "dynamodb:TransactGetItems": "dynamodb:GetItem"}
"""The actions that authorise operations of another name."""


@pytest.fixture(scope="module")
def shared(synthesized: Synthesize) -> Template:
    return synthesized(environment(services=(BILLING, ServiceConfig(name="reports", image="r"))))


def test_an_operator_may_ask_all_that_is_asked(shared: Template) -> None:
    # given an environment in which all is well
    with examined_aws() as aws:
        aws.calls.clear()
        # when it is examined
        list(examine(aws.settings))
        asked = {f"{service}:{operation}" for service, operation in aws.calls}
    # then each question is allowed to operators
    actions = {OTHER_NAMES.get(action, action) for action in asked} - ANYBODY - ADMINISTRATORS
    allowed = {
        action for statement in policy_of(shared, "CallersOperators") for action in statement["Action"]
    }
    assert len(actions) > 15
    assert actions - allowed == set()


@pytest.mark.parametrize("holder", ["CallersPolicy", "CallersPolicyOfbilling"])
def test_what_callers_are_said_to_need_is_what_their_policies_allow(shared: Template, holder: str) -> None:
    (bucket,) = [
        name for name, resource in shared["Resources"].items() if resource["Type"] == "AWS::S3::Bucket"
    ]
    arns = Arns(table(shared, "EventLog"), table(shared, "ReadModel"), bucket)
    policy = policy_of(shared, holder)
    needs = needs_of_callers(arns, "billing")
    refused = [
        (action, need.purpose)
        for need in needs
        for action in need.actions
        if not allows(policy, Request(action, need.resource, need.context))
    ]
    assert refused == []
    of_reports = [need for need in needs_of_callers(arns, "reports") if "dynamodb" in need.actions[0]]
    assert not any(
        allows(policy_of(shared, "CallersPolicyOfbilling"), Request(action, need.resource, need.context))
        for need in of_reports
        for action in need.actions
    )


def test_the_stack_says_of_which_release_it_is(shared: Template) -> None:
    assert shared["Outputs"]["Version"]["Value"] == version("background-job-service")


def test_nobody_but_operators_may_examine(shared: Template) -> None:
    holders = [
        str(policy["Description"])
        for policy in of_type(shared, "AWS::IAM::ManagedPolicy")
        if "cloudwatch:DescribeAlarms" in str(policy["PolicyDocument"])
    ]
    assert len(holders) == 1
    assert holders[0].startswith("May examine the environment")
