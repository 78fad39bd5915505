"""The code of a container: it works through one share of an orchestration and appends its events."""
