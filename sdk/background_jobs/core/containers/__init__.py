"""Containers: the shares that they are handed, their environment, and why one fails or waits."""
