"""Containers: the shares that they are handed, their variables, and why a container fails or waits."""
