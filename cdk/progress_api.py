"""The progress API: a function that streams, behind API Gateway."""

from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.settings import ApiSettings
from cdk.acknowledgements import acknowledge
from cdk.functions import Functions
from cdk.shared import SharedResources

_PORT: Final = 8080
_ADAPTER: Final = "arn:aws:lambda:{region}:753240598075:layer:LambdaAdapterLayerArm64:27"
"""AWS Lambda Web Adapter 1.0.0: Python functions cannot stream by themselves."""
_LONGEST: Final = Duration.minutes(15)
_STREAM_SECONDS: Final = 14 * 60
"""A stream ends by itself before its function would be ended, and is resumed on the next."""
_PADDING_BYTES: Final = 100_000
"""Lambda buffers up to as many bytes, and has no flush."""
_POLL_SECONDS: Final = 1.0
"""Padded events are large, so they are sent less often."""


class ProgressApi(Construct):
    """The API of one environment, with the console; without a user pool, callers sign requests (SigV4)."""

    def __init__(
        self, scope: Construct, construct_id: str, *, shared: SharedResources, functions: Functions
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = self._function(functions)
        shared.storage.grant_call(self.function)
        user_pool_arn = shared.config.user_pool_arn
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=f"{Stack.of(self).stack_name}-progress",
            default_integration=apigateway.LambdaIntegration(
                self.function, response_transfer_mode=apigateway.ResponseTransferMode.STREAM, timeout=_LONGEST
            ),
            default_method_options=self._method_options(user_pool_arn),
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=200,
                throttling_burst_limit=400,
                tracing_enabled=True,
                access_log_destination=self._access_log(shared),
            ),
            cloud_watch_role=False,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
        )
        self.api.root.add_proxy()
        acknowledge(self.api, "APIG2", "The application validates every request, and says what is wrong.")
        acknowledge(self.api, "APIG3", "IAM or a user pool authorises callers; add a firewall of yours.")
        acknowledge(self.api, "APIG6", "API Gateway's own log would hold what is sent.")
        if not shared.config.api_access_log:
            acknowledge(self.api, "APIG1", "It would need a role in the settings of the whole account.")
        if user_pool_arn is None:
            acknowledge(self.api, "COG4", "Callers sign their requests (SigV4), and IAM authorises them.")

    def _function(self, functions: Functions) -> lambda_.Function:
        adapter = lambda_.LayerVersion.from_layer_version_arn(
            self, "WebAdapter", _ADAPTER.format(region=Stack.of(self).region)
        )
        streaming = ApiSettings(
            stream_poll_seconds=_POLL_SECONDS,
            stream_padding_bytes=_PADDING_BYTES,
            stream_seconds=_STREAM_SECONDS,
            json_log=True,
            # API Gateway answers under its own names only.
            allowed_hosts=("*",),
        )
        return functions.function(
            "progress_api",
            handler="progress_api/run.sh",
            seconds=900,
            layers=[adapter],
            variables=streaming.to_env()
            | {
                "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
                "AWS_LWA_INVOKE_MODE": "response_stream",
                "AWS_LWA_PORT": str(_PORT),
                "AWS_LWA_READINESS_CHECK_PORT": str(_PORT),
            },
        )

    def _access_log(self, shared: SharedResources) -> apigateway.IAccessLogDestination | None:
        if not shared.config.api_access_log:
            return None
        return apigateway.LogGroupLogDestination(shared.logs.group(self, "AccessLog"))

    def _method_options(self, user_pool_arn: str | None) -> apigateway.MethodOptions:
        """Return who may call: holders of a token of the user pool, or else callers that IAM allows."""
        if user_pool_arn is None:
            return apigateway.MethodOptions(authorization_type=apigateway.AuthorizationType.IAM)
        pool = cognito.UserPool.from_user_pool_arn(self, "UserPool", user_pool_arn)
        return apigateway.MethodOptions(
            authorization_type=apigateway.AuthorizationType.COGNITO,
            authorizer=apigateway.CognitoUserPoolsAuthorizer(self, "Tokens", cognito_user_pools=[pool]),
        )
