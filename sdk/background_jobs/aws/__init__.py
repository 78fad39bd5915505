"""One module for each AWS service, which makes the calls and speaks our errors."""
