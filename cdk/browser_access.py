"""What pages of other sites need of the API: preflights, and streams that are opened with a token."""

from collections.abc import Iterable

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge


class StreamTokenKey(Construct):
    """The key of the tokens that open a stream; it never leaves KMS, and processes of the API share it."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self._key = kms.Key(
            self,
            "Key",
            description="Signs the tokens that open a stream of the progress API for a minute",
            key_spec=kms.KeySpec.HMAC_256,
            key_usage=kms.KeyUsage.GENERATE_VERIFY_MAC,
            # No token outlives a minute.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.arn = self._key.key_arn

    def grant_issue_and_open(self, api: iam.IGrantable) -> None:
        """Let the API sign tokens, and verify them."""
        self._key.grant_generate_mac(api)
        self._key.grant_verify_mac(api)


def let_browsers_ask(
    resources: Iterable[apigateway.IResource],
    streams: apigateway.IResource,
    integration: apigateway.Integration,
) -> None:
    """Let preflights of *resources*, and streams opened by token, through to the application.

    A browser sends no credentials with a preflight, and an EventSource no headers at all.
    """
    methods = [(resource, "OPTIONS") for resource in (*resources, streams)]
    for resource, name in (*methods, (streams, "GET")):
        method = resource.add_method(name, integration, authorization_type=apigateway.AuthorizationType.NONE)
        acknowledge(method, "APIG4", "The application answers preflights, and verifies stream tokens.")
        acknowledge(method, "COG4", "The same: neither carries a token of the user pool.")
