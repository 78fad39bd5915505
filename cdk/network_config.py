"""The network of containers: one that the stack makes, or one that exists."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from background_jobs.cdk.validation import ValidatedConfig, Whole, YesNo

_BY_GATEWAY: Final = ("s3", "dynamodb")
_SUBNETS: Final = 16
"""The subnets of a task, at most. Source: Amazon ECS API Reference, "AwsVpcConfiguration"."""


class NewVpc(ValidatedConfig):
    """A VPC of the stack's own, without NAT.

    Its subnets are public, which costs nothing by the hour; or private, with an interface endpoint for each
    service of AWS that containers need, which each cost some by the hour and zone.
    """

    private: YesNo = False
    endpoints: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")], ...] = ()
    """Further services that jobs call from private subnets (``sqs``); S3 and DynamoDB are included."""
    zones: Whole = Field(default=2, ge=1, le=6)

    @model_validator(mode="after")
    def _endpoints_are_of_use(self) -> Self:
        if self.endpoints and not self.private:
            raise ValueError("endpoints are for private=True; from public subnets every service is reached")
        if included := [name for name in self.endpoints if name in _BY_GATEWAY or name.startswith("com.")]:
            raise ValueError(f"endpoints={included} are included, or no short names of services like sqs")
        return self


class ExistingVpc(ValidatedConfig):
    """An existing VPC, looked up while synthesizing; its private subnets need NAT or endpoints."""

    vpc_id: str = Field(pattern=r"^vpc-[0-9a-f]+$")
    public: YesNo = False
    """Use its public subnets instead, and give each container a public address."""


class ExistingSubnets(ValidatedConfig):
    """Existing subnets, and the security group of the containers; nothing is looked up."""

    subnet_ids: tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]+$")], ...] = Field(
        min_length=1, max_length=_SUBNETS
    )
    security_group_id: str = Field(pattern=r"^sg-[0-9a-f]+$")
    public: YesNo = False
    """Whether the subnets are public, so that each container needs a public address."""


NetworkConfig = NewVpc | ExistingVpc | ExistingSubnets
