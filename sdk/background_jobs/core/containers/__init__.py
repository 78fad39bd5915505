"""Containers: the shares that they are handed, their variables, and why one fails or waits."""
