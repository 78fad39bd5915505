"""The work of the Lambda functions; each module is named after the folder of its function."""
