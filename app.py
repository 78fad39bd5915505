"""The CDK app: `npx aws-cdk@2.1148.1 deploy -c environment=prod`; `-c first=yes` for the first time."""

from background_jobs.cdk import synthesize_app

if __name__ == "__main__":
    synthesize_app()  # what environments.py has
