"""The scopes of a user pool: for all services of an environment, and for each of them."""

from aws_cdk import aws_cognito as cognito
from constructs import Construct

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.core.access import READ, SERVICES, WRITE, environment_scope, resource_server

_OF_THE_ENVIRONMENT = {
    READ: "Follow jobs, read outcomes",
    WRITE: "Kick off, cancel, schedule",
    SERVICES: "Do what further scopes and groups allow, service by service",
}


class Scopes(Construct):
    """Three resource servers: one for all services, one for services to read, one for services to write.

    API Gateway is told the few scopes of the first one, whatever the number of services; the API itself
    looks at the others.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, pool: cognito.IUserPool, config: EnvironmentConfig
    ) -> None:
        super().__init__(scope, construct_id)
        self._pool = pool
        environment = config.environment
        self.to_read = [environment_scope(environment, what) for what in (READ, WRITE, SERVICES)]
        """One of these is needed to read."""
        self.to_write = [environment_scope(environment, what) for what in (WRITE, SERVICES)]
        """One of these is needed for all else."""
        self._add_server("Environment", resource_server(environment), _OF_THE_ENVIRONMENT)
        for what in (READ, WRITE):
            names = {
                service.name: f"{_OF_THE_ENVIRONMENT[what]}: {service.name}" for service in config.services
            }
            self._add_server(what.capitalize(), resource_server(environment, what), names)

    def _add_server(self, construct_id: str, identifier: str, scopes: dict[str, str]) -> None:
        cognito.UserPoolResourceServer(
            self,
            construct_id,
            user_pool=self._pool,
            identifier=identifier,
            scopes=[
                cognito.ResourceServerScope(scope_name=name, scope_description=description)
                for name, description in scopes.items()
            ],
        )
