"""What the Lambda functions do: start executions, aggregate the log, close what has no outcome."""
