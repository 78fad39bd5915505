"""Every name that users import from `background_jobs.cdk`; importing it finds Node for aws_cdk."""

from background_jobs.cdk.node import use_bundled_node

use_bundled_node()

from background_jobs.cdk.app import synthesize_app
from background_jobs.cdk.background_jobs import BackgroundJobs
from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.network_config import ExistingSubnets, ExistingVpc, NewVpc
from background_jobs.cdk.notification_config import Topic, Webhook
from background_jobs.cdk.schedule_config import ScheduleConfig
from background_jobs.cdk.service_config import Permission, ServiceConfig
from background_jobs.cdk.sign_in_config import ConsoleSignIn
from background_jobs.cdk.stack import BackgroundJobsStack
from background_jobs.core.containers.warm import WarmHours, WarmWorkers
from background_jobs.core.stages import Stage

__all__ = [
    "BackgroundJobs",
    "BackgroundJobsStack",
    "ConsoleSignIn",
    "EnvironmentConfig",
    "ExistingSubnets",
    "ExistingVpc",
    "NewVpc",
    "Permission",
    "ScheduleConfig",
    "ServiceConfig",
    "Stage",
    "Topic",
    "WarmHours",
    "WarmWorkers",
    "Webhook",
    "synthesize_app",
]
