"""A page of what containers wrote."""

from pydantic import BaseModel, Field

from background_jobs.core.log_lines import LogLine


class LogPage(BaseModel):
    """Lines of a log, by time; the first page has the last lines, and each further one what came after."""

    lines: list[LogLine]
    next_token: str = Field(description="Asks for what is written after this page; it is never empty.")
    more: bool = Field(description="Whether more lines are there already.")
    cut: bool = Field(
        default=False, description="Whether earlier lines were left out; `background-jobs logs` has all."
    )
    left_out: int = Field(
        default=0, description="How many containers were left out: the logs of the newest are read."
    )
    missing: list[str] = Field(
        default=[], description="The places of logs that are not there, or not any more."
    )
    cloudwatch_url: str = Field(
        default="", description="The same lines in CloudWatch Logs Insights; empty where the logs are files."
    )
