"""What runs in a container: it works through one share of an orchestration and appends what happened."""
