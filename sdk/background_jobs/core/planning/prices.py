"""The prices of AWS: one table, in US dollars, without free tiers and discounts."""

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The list prices of one region on one day."""

    region: str
    as_of: date
    """Check the table against the price pages of the services when this is long ago."""

    fargate_vcpu_hour: float
    fargate_gb_hour: float
    fargate_arm_vcpu_hour: float
    fargate_arm_gb_hour: float
    fargate_spot_share: float
    """The part of the on-demand price that Spot costs; it varies, and this is its usual minimum."""
    public_ipv4_hour: float
    write_unit: float
    """DynamoDB on demand: 1 KB written; a transaction takes two."""
    read_unit: float
    """DynamoDB on demand: 4 KB read with strong consistency; a transaction takes two."""
    state_transition: float
    """Step Functions, STANDARD."""
    invocation: float
    """Lambda, a request."""
    function_gb_second: float
    """Lambda on arm64."""
    s3_put: float
    s3_get: float
    bus_event: float
    """EventBridge, an event of one's own of up to 64 KB."""
    log_gb: float
    """CloudWatch Logs, ingested."""


US_EAST_1: Final = Prices(
    region="us-east-1",
    as_of=date(2026, 3, 31),
    fargate_vcpu_hour=0.04048,
    fargate_gb_hour=0.004445,
    fargate_arm_vcpu_hour=0.03238,
    fargate_arm_gb_hour=0.00356,
    fargate_spot_share=0.3,
    public_ipv4_hour=0.005,
    write_unit=0.625e-6,
    read_unit=0.125e-6,
    state_transition=25e-6,
    invocation=0.2e-6,
    function_gb_second=13.3334e-6,
    s3_put=5e-6,
    s3_get=0.4e-6,
    bus_event=1e-6,
    log_gb=0.5,
)
"""As AWS publishes them for US East (N. Virginia): Fargate, VPC (public IPv4), DynamoDB (on demand, after the
reduction of November 2024), Step Functions, Lambda, S3 (Standard), EventBridge and CloudWatch."""
