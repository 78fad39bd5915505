"""The progress API: a function that streams, behind API Gateway."""

from typing import Any, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge
from background_jobs.cdk.browser_access import StreamTokenKey, let_browsers_ask
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.functions import Functions
from background_jobs.cdk.gateway_responses import answer_with_problems
from background_jobs.cdk.job_services import JobServices
from background_jobs.cdk.scopes import Scopes
from background_jobs.cdk.shared import SharedResources
from background_jobs.cdk.sign_in import SignIn
from background_jobs.settings import NO_STREAM_TOKENS, ApiSettings, Authorization

_PORT: Final = 8080
_ADAPTER: Final = "arn:aws:lambda:{region}:753240598075:layer:LambdaAdapterLayerArm64:27"
"""AWS Lambda Web Adapter 1.0.0: Python functions cannot stream by themselves."""
_LONGEST: Final = Duration.minutes(15)
_STREAM_SECONDS: Final = 14 * 60
"""A stream ends by itself before its function would be ended, and is resumed on the next."""
_PADDING_BYTES: Final = 100_000
"""Lambda buffers up to as many bytes, and has no flush: so many follow each event, and each heartbeat.

A watcher of something quiet is sent 400 KB a minute. Without that it would hear nothing, connect again, and
leave an invocation behind that goes on to its end.
"""
_POLL_SECONDS: Final = 1.0
"""Padded events are large, so they are sent less often."""
_READING: Final = ("GET", "HEAD")
_WRITING: Final = ("POST", "PUT", "DELETE")


class ProgressApi(Construct):
    """The API of one environment, with the console; without a user pool, callers sign requests (SigV4)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: SharedResources,
        services: JobServices,
        functions: Functions,
    ) -> None:
        super().__init__(scope, construct_id)
        config = shared.config
        key = StreamTokenKey(self, "StreamTokens") if config.api_cors_origins else None
        self.function = self._function(functions, config, key)
        shared.storage.grant_call(self.function)
        services.grant_read_logs(self.function)
        if key is not None:
            key.grant_issue_and_open(self.function)
        self.api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=f"{Stack.of(self).stack_name}-progress",
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
        self._integration = apigateway.LambdaIntegration(
            self.function,
            response_transfer_mode=apigateway.ResponseTransferMode.STREAM,
            timeout=_LONGEST,
            # One permission for all methods: the policy of a function has 20 KB.
            scope_permission_to_method=False,
        )
        self.sign_in = self._let_people_sign_in(config)
        self._resources = (self.api.root, self.api.root.add_resource("{proxy+}"))
        self._add_methods(config)
        if config.api_cors_origins:
            let_browsers_ask(self._resources, self.api.root.add_resource("streams"), self._integration)
        answer_with_problems(self.api, to_other_sites=bool(config.api_cors_origins))
        acknowledge(self.api, "APIG2", "The application validates every request, and says what is wrong.")
        acknowledge(self.api, "APIG3", "IAM or a user pool authorises callers; add a firewall of yours.")
        acknowledge(self.api, "APIG6", "API Gateway's own log would hold what is sent.")
        if not config.api_access_log:
            acknowledge(self.api, "APIG1", "It would need a role in the settings of the whole account.")
        if config.user_pool_arn is None:
            acknowledge(self.api, "COG4", "Callers sign their requests (SigV4), and IAM authorises them.")

    @property
    def console_url(self) -> str:
        """Return the address of the console, before ``#``."""
        return self.sign_in.console_url if self.sign_in else self.api.url

    def _let_people_sign_in(self, config: EnvironmentConfig) -> SignIn | None:
        if config.console is None:
            return None
        sign_in = SignIn(self, "SignIn", config=config, console=config.console, api=self.api)
        sign_in.serve(self.function)
        sign_in.let_people_in(self.api, self._integration)
        return sign_in

    def _function(
        self, functions: Functions, config: EnvironmentConfig, key: StreamTokenKey | None
    ) -> lambda_.Function:
        adapter = lambda_.LayerVersion.from_layer_version_arn(
            self, "WebAdapter", config.web_adapter_layer or _ADAPTER.format(region=Stack.of(self).region)
        )
        streaming = ApiSettings(
            stream_poll_seconds=_POLL_SECONDS,
            stream_padding_bytes=_PADDING_BYTES,
            stream_seconds=_STREAM_SECONDS,
            json_log=True,
            authorization=Authorization.IAM if config.user_pool_arn is None else Authorization.USER_POOL,
            user_pool_scopes=config.user_pool_scopes,
            cors_origins=config.api_cors_origins,
            stream_token_key=NO_STREAM_TOKENS if key is None else key.arn,
            # API Gateway answers under its own names only.
            allowed_hosts=("*",),
        )
        return functions.function(
            "progress_api",
            handler="progress_api/run.sh",
            seconds=900,
            concurrency=config.api_concurrency,
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
        return apigateway.LogGroupLogDestination(shared.logs.vended_group(self, "AccessLog", "apis"))

    def _add_methods(self, config: EnvironmentConfig) -> None:
        """Let holders of a token of the user pool call, or else callers that IAM allows."""
        if config.user_pool_arn is None:
            self._add_any_method(authorization_type=apigateway.AuthorizationType.IAM)
            return
        pool = cognito.UserPool.from_user_pool_arn(self, "UserPool", config.user_pool_arn)
        tokens = apigateway.CognitoUserPoolsAuthorizer(self, "Tokens", cognito_user_pools=[pool])
        if config.user_pool_scopes:
            self._add_scoped_methods(tokens, Scopes(self, "Scopes", pool=pool, config=config))
        else:
            self._add_any_method(authorizer=tokens)

    def _add_any_method(self, **authorization: Any) -> None:  # noqa: ANN401 -- options of CDK
        for resource in self._resources:
            resource.add_method("ANY", self._integration, **authorization)

    def _add_scoped_methods(self, tokens: apigateway.IAuthorizer, scopes: Scopes) -> None:
        """Ask for a scope; only access tokens have scopes, so that others are refused.

        Source: Amazon API Gateway Developer Guide, "Control access to REST APIs using Amazon
        Cognito user pools".
        """
        for resource in self._resources:
            for method in (*_READING, *_WRITING):
                needed = scopes.to_write if method in _WRITING else scopes.to_read
                resource.add_method(method, self._integration, authorizer=tokens, authorization_scopes=needed)
