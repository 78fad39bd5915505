"""The offline stack: an AWS emulator in a process of ours, with the stack that CDK deploys."""

from background_jobs.local_stack.jobs_image import InvalidJobsImage
from background_jobs.local_stack.jobs_main import InvalidJobsMain
from background_jobs.local_stack.stack import LocalStack
from background_jobs.local_stack.stack_errors import InvalidLocalStack, LocalStackError

__all__ = ["InvalidJobsImage", "InvalidJobsMain", "InvalidLocalStack", "LocalStack", "LocalStackError"]
