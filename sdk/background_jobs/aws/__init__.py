"""One room per AWS service; each makes the calls, and speaks our errors."""
