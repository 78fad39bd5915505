"""The way into the console for people: a provider that knows them, and a path that asks for no signature."""

from typing import Final

from aws_cdk import Aws, Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.removal import removal_policy
from background_jobs.cdk.sign_in_config import ConsoleSignIn
from background_jobs.core.sign_in import EVERYBODY, LONGEST
from background_jobs.settings import SignInSettings

_CHARACTERS: Final = 64
_PEOPLES_PATH: Final = "web"


class SignIn(Construct):
    """What the progress API needs so that people sign in; machines go on to sign, or to bring tokens."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        console: ConsoleSignIn,
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, construct_id)
        # The address as a text: that of the stage would wait for the function, which waits for the address.
        own = f"https://{api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}/v1"
        below = f"{console.url or own}/{_PEOPLES_PATH}"
        self.console_url = f"{below}/console"
        self._console = console
        self._secret = self._session_secret()
        if console.cognito:
            issuer, client_id = self._user_pool(config, f"{below}/sign-in/callback")
            groups_claim = "cognito:groups"
        else:
            issuer, client_id = str(console.issuer), str(console.client_id)
            groups_claim = console.groups_claim
        self._settings = SignInSettings.model_construct(
            sign_in_issuer=issuer,
            sign_in_client_id=client_id,
            sign_in_client_secret=console.client_secret_arn or "",
            sign_in_session_secret=self._secret.secret_arn,
            sign_in_readers=console.readers,
            sign_in_operators=console.operators,
            sign_in_groups_claim=groups_claim,
            sign_in_name_claim=console.name_claim,
            console_url=self.console_url,
        )

    def serve(self, function: lambda_.Function) -> None:
        """Let *function* know how people sign in, and read the secrets that this takes."""
        for name, value in self._settings.to_env().items():
            function.add_environment(name, value)
        self._secret.grant_read(function)
        if self._console.client_secret_arn:
            secretsmanager.Secret.from_secret_complete_arn(
                self, "ClientSecret", self._console.client_secret_arn
            ).grant_read(function)

    def let_people_in(self, api: apigateway.RestApi, integration: apigateway.Integration) -> None:
        """Let what comes below the path of people through; the application asks for their session."""
        below = api.root.add_resource(_PEOPLES_PATH)
        for resource in (below, below.add_resource("{proxy+}")):
            method = resource.add_method(
                "ANY", integration, authorization_type=apigateway.AuthorizationType.NONE
            )
            acknowledge(method, "APIG4", "People sign in, and the application asks for their session.")
            acknowledge(method, "COG4", "The same: a session is in a cookie, which API Gateway cannot read.")

    def _session_secret(self) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Sessions",
            description="Seals the cookies of people who are signed in to the console of background jobs",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=_CHARACTERS, exclude_punctuation=True
            ),
        )
        acknowledge(secret, "SMG4", "A new secret ends all sessions; make one when there is a reason to.")
        return secret

    def _user_pool(self, config: EnvironmentConfig, callback: str) -> tuple[str, str]:
        """Make the pool of people, its groups and its pages; return its issuer and the console's client."""
        pool = cognito.UserPool(
            self,
            "People",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_digits=True,
                require_lowercase=True,
                require_uppercase=True,
                require_symbols=True,
            ),
            deletion_protection=config.deletion_protection,
            removal_policy=removal_policy(keep_data=config.keep_data),
        )
        for rule in ("COG3", "COG8"):
            acknowledge(pool, rule, "Threat protection has a price for each person; you may add it.")
        pool.add_domain(
            "Pages",
            cognito_domain=cognito.CognitoDomainOptions(
                domain_prefix=f"background-jobs-{config.environment}-{Aws.ACCOUNT_ID}"
            ),
        )
        for name, group in (("Readers", self._console.readers), ("Operators", self._console.operators)):
            if group != EVERYBODY:
                cognito.CfnUserPoolGroup(self, name, user_pool_id=pool.user_pool_id, group_name=group)
        client = pool.add_client(
            "Console",
            auth_flows=cognito.AuthFlow(),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE],
                callback_urls=[callback],
                logout_urls=[self.console_url],
            ),
            supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            refresh_token_validity=Duration.seconds(LONGEST.total_seconds()),
            # People cannot give themselves the name of another in the history.
            write_attributes=cognito.ClientAttributes(),
        )
        return pool.user_pool_provider_url, client.user_pool_client_id
