"""The variables with which a process reaches an offline stack, and no proxy and no account."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from background_jobs.settings import Settings

if TYPE_CHECKING:
    from background_jobs.aws.connections import Connection
    from background_jobs.aws.logs import Logs
    from background_jobs.orchestration_service import OrchestrationService

REGION: Final = "us-east-1"
LOCAL_HOSTS: Final = ("127.0.0.1", "localhost", "host.docker.internal")
"""The names under which clients and containers reach the emulator."""
_KEY_PREFIX: Final = "stack-"
_EMULATOR_PREFIXES: Final = tuple(
    f"{prefix}_"
    for prefix in (
        *("ALB", "APPSYNC", "ATHENA", "CLOUDTRAIL", "CODEBUILD", "COGNITO", "DOCDB", "DSQL", "EC2", "ECS"),
        *("EKS", "ELASTICACHE", "GLUE", "IOT", "LAMBDA", "LOCALSTACK", "MINISTACK", "MWAA", "OPENSEARCH"),
        *("RDS", "REDIS", "S3", "SFN", "SFTP", "SMTP", "TRANSLATE"),
    )
)
_EMULATOR_NAMES: Final = (
    *("AUTH", "BIND_HOST", "EDGE_PORT", "GATEWAY_PORT", "LOG_LEVEL", "PERSIST_STATE"),
    *("SERVICES", "STATE_DIR", "USE_SSL"),
)


def caller_variables(port: int, stack_id: str) -> dict[str, str]:
    """Return the variables of a caller, who is told when another stack is at *port*."""
    return client_variables(port, "caller") | {"AWS_ACCESS_KEY_ID": _KEY_PREFIX + stack_id}


def find_stack(variables: Mapping[str, str]) -> str | None:
    """Return the stack to which a caller with *variables* belongs; None where that is no offline stack."""
    return find_stack_of(variables.get("AWS_ACCESS_KEY_ID", ""))


def find_stack_of(access_key: str) -> str | None:
    """Return the stack to which the caller with *access_key* belongs; None where that is no offline stack."""
    return access_key.removeprefix(_KEY_PREFIX) if access_key.startswith(_KEY_PREFIX) else None


def connect(variables: Mapping[str, str]) -> "OrchestrationService":
    """Return the service for a caller with *variables*, which need not be those of this process."""
    from background_jobs.orchestration_service import OrchestrationService

    return OrchestrationService(Settings.from_env(variables), connection=_connection(variables))


def disconnect(variables: Mapping[str, str]) -> None:
    """Close the connections of what `connect` has returned for *variables*."""
    from background_jobs.aws import clients

    clients.disconnect(_connection(variables))


def connect_logs(variables: Mapping[str, str]) -> "Logs":
    """Return the emulator's CloudWatch Logs for a caller with *variables*."""
    from background_jobs.aws import clients
    from background_jobs.aws.logs import Logs

    return Logs(clients.logs(_connection(variables)))


def _connection(variables: Mapping[str, str]) -> "Connection":
    from background_jobs.aws.connections import Connection

    return Connection(
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region=variables["AWS_REGION"],
        access_key=variables["AWS_ACCESS_KEY_ID"],
        secret_key=variables["AWS_SECRET_ACCESS_KEY"],
        app_id=variables["AWS_SDK_UA_APP_ID"],
    )


def client_variables(port: int, caller: str, host: str = "127.0.0.1") -> dict[str, str]:
    """Return the variables with which a client finds the emulator at *port*, counted as *caller*."""
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # A profile may name endpoints, proxies and ways to get credentials.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_SDK_UA_APP_ID": caller,
        **_unproxied(),
    }


def unwanted_variables(environ: Mapping[str, str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in *environ* that must go where *variables* are set.

    These are all others that begin with AWS_, because some client reads them (``AWS_ENDPOINT_URL_S3``,
    ``AWS_PROFILE``, ``AWS_SESSION_TOKEN``), and the settings of another environment of the service.
    """
    settings = Settings.variable_names()
    names = (name for name in environ if name.startswith("AWS_") or name in settings)
    return tuple(sorted(name for name in names if name not in variables))


def replace_variables(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with *variables* set, and without what is unwanted beside them."""
    unwanted = unwanted_variables(environ, variables)
    return {name: value for name, value in environ.items() if name not in unwanted} | dict(variables)


def tracing_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return those of *environ* by which OpenTelemetry is told where containers send their traces."""
    return {name: value for name, value in environ.items() if name.startswith("OTEL_")}


def emulator_settings(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in *environ* that the emulator would take for its own settings.

    They are meant for another emulator, such as LocalStack, or for anything else.
    """
    return tuple(name for name in environ if name in _EMULATOR_NAMES or name.startswith(_EMULATOR_PREFIXES))


def _unproxied() -> dict[str, str]:
    """Return the variables that except this machine from the user's proxy, in both of their spellings."""
    # Where both are set, clients differ in which one they read.
    own = (os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))
    hosts = [host for value in own for host in value.replace(" ", "").split(",") if host]
    value = "*" if "*" in hosts else ",".join(dict.fromkeys((*hosts, *LOCAL_HOSTS)))
    return {"NO_PROXY": value, "no_proxy": value}
