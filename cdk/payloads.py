"""The payload bucket: params, share manifests, and large results."""

from collections.abc import Iterator
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from background_jobs.cdk.acknowledgements import acknowledge, acknowledge_wildcard
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.removal import removal_policy
from background_jobs.core.job_descriptions import descriptions_key
from background_jobs.core.payload_keys import PAYLOADS, payload_prefix

_KEYS: Final = f"{PAYLOADS}*"
_SCHEDULED_KEYS: Final = "schedules/*"
_JOB_KEYS: Final = descriptions_key("*")


class PayloadBucket(Construct):
    """Objects that expire with the events that refer to them; the params of schedules stay while these do."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: EnvironmentConfig,
        key: kms.IKey | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=config.payload_bucket_name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            # With a bucket key, many objects need one call of KMS.
            bucket_key_enabled=True if key else None,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[
                *_expirations(config),
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
            ],
            removal_policy=removal_policy(keep_data=config.keep_data),
            # CloudFormation deletes no bucket that has objects. An emulator cannot run what empties it.
            auto_delete_objects=config.bundled and not config.keep_data,
        )
        acknowledge(
            self.bucket, "S1", "CloudTrail's data events tell who read an object, where that must be known."
        )
        services = (_keys_of(service.name) for service in config.services)
        for keys in (_KEYS, _SCHEDULED_KEYS, _JOB_KEYS, *services):
            acknowledge_wildcard(
                Stack.of(self),
                self.bucket.arn_for_objects(keys),
                "Objects are named after orchestrations, schedules and services; there are no others.",
            )

    def grant_read(self, to: iam.IGrantable, service: str | None = None) -> None:
        """Let *to* read payloads of *service*, by default of all."""
        self._grant(to, "s3:GetObject", keys=_keys_of(service) if service else _KEYS)

    def grant_tell_missing(self, to: iam.IGrantable) -> None:
        """Let *to* distinguish an expired object from one that it may not read.

        S3 answers that an object is missing only to those who may list the bucket.
        """
        iam.Grant.add_to_principal(
            grantee=to, actions=["s3:ListBucket"], resource_arns=[self.bucket.bucket_arn]
        )

    def grant_write(self, to: iam.IGrantable, service: str | None = None) -> None:
        """Let *to* store payloads of *service*, by default of all, in parts where they are large."""
        keys = _keys_of(service) if service else _KEYS
        self._grant(to, "s3:PutObject", "s3:AbortMultipartUpload", keys=keys)

    def grant_work(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* read payloads of *service*, and store those that are small enough for one call."""
        self._grant(to, "s3:GetObject", "s3:PutObject", keys=_keys_of(service))

    def grant_call(self, to: iam.IGrantable, service: str) -> None:
        """Let *to* read and store payloads of *service*, in parts where they are large."""
        keys = _keys_of(service)
        self._grant(to, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", keys=keys)

    def grant_read_jobs(self, to: iam.IGrantable) -> None:
        """Let *to* read what jobs publish of themselves."""
        self._grant(to, "s3:GetObject", keys=_JOB_KEYS)

    def grant_publish_jobs(self, to: iam.IGrantable) -> None:
        """Let *to* publish that, after a deployment."""
        self._grant(to, "s3:PutObject", keys=_JOB_KEYS)

    def grant_store_scheduled(self, to: iam.IGrantable) -> None:
        """Let *to* store the params of schedules."""
        self._grant(to, "s3:PutObject", "s3:AbortMultipartUpload", keys=_SCHEDULED_KEYS)

    def grant_use_scheduled(self, to: iam.IGrantable) -> None:
        """Let *to* read the params of schedules, and remove those that are not needed any more."""
        self._grant(to, "s3:GetObject", "s3:DeleteObject", keys=_SCHEDULED_KEYS)

    def _grant(self, to: iam.IGrantable, *actions: str, keys: str = _KEYS) -> None:
        iam.Grant.add_to_principal(
            grantee=to, actions=list(actions), resource_arns=[self.bucket.arn_for_objects(keys)]
        )


def _keys_of(service: str) -> str:
    return f"{payload_prefix(service)}*"


def _expirations(config: EnvironmentConfig) -> Iterator[s3.LifecycleRule]:
    # If two rules match an object, S3 applies the one that expires it first.
    longest = config.retention.longest
    yield s3.LifecycleRule(prefix=PAYLOADS, expiration=Duration.days(longest.days))
    for service in config.services:
        if (own := config.retention.of(service.name)) < longest:
            prefix = payload_prefix(service.name)
            yield s3.LifecycleRule(prefix=prefix, expiration=Duration.days(own.days))
