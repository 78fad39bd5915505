"""The customer key: one KMS key for what an environment stores, used through the services that store it."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from background_jobs.cdk.removal import removal_policy

_STORING = ("dynamodb", "s3", "sqs")
_USE = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


class CustomerKey(Construct):
    """A key that nobody uses directly: who may read a table may also decrypt it, through DynamoDB."""

    def __init__(self, scope: Construct, construct_id: str, *, keep_data: bool) -> None:
        super().__init__(scope, construct_id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"What {Stack.of(self).stack_name} stores",
            enable_key_rotation=True,
            removal_policy=removal_policy(keep_data=keep_data),
        )
        self._let_services_use_it_for_callers()
        self._let_logs_use_it()
        self._let_rules_use_it()

    def _let_services_use_it_for_callers(self) -> None:
        services = [f"{service}.{Aws.REGION}.amazonaws.com" for service in _STORING]
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["kms:CreateGrant", *_USE],
                resources=["*"],
                conditions={
                    "StringEquals": {"kms:CallerAccount": Aws.ACCOUNT_ID, "kms:ViaService": services}
                },
            )
        )

    def _let_logs_use_it(self) -> None:
        groups = Stack.of(self).format_arn(service="logs", resource="*")
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=list(_USE),
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )

    def _let_rules_use_it(self) -> None:
        """Let EventBridge put what it could not deliver into the queue under this key.

        Its calls of KMS carry no account and no ARN that a condition could name; the queue's own policy lets
        in rules of this account only. Source: Amazon SQS Developer Guide, "Key management", "Configuring KMS
        permissions for AWS services".
        """
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
            )
        )
