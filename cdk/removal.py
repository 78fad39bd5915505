"""What becomes of stored data when a stack is deleted, or when its first deployment fails."""

from aws_cdk import RemovalPolicy


def removal_policy(*, keep_data: bool) -> RemovalPolicy:
    """Return that data outlives the stack if *keep_data*, except what a failed deployment has just made.

    With plain `Retain`, each deployment that is rolled back leaves empty tables behind. Source: AWS
    CloudFormation User Guide, "DeletionPolicy attribute", `RetainExceptOnCreate`.
    """
    return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if keep_data else RemovalPolicy.DESTROY
