"""What is deployed: `npx aws-cdk@2.1148.1 deploy -c environment=prod`, the first time with `-c first=yes`."""

from background_jobs.cdk import EnvironmentConfig, ServiceConfig, synthesize_app

# One image with one or more jobs; a kick-off of a job that is not listed is refused at once.
SERVICE = ServiceConfig(name="default", image=".", jobs=("add_up",))

ENVIRONMENTS = (
    # A bus has its name to itself in an account and region; dev's data goes with its stack.
    EnvironmentConfig(
        environment="dev", services=(SERVICE,), event_bus="background-jobs-dev", keep_data=False
    ),
    EnvironmentConfig(environment="prod", services=(SERVICE,)),
)

if __name__ == "__main__":
    synthesize_app(ENVIRONMENTS)  # the one that `-c environment=` names, by default dev
