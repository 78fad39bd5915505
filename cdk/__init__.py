"""The stack: one construct for each part of the architecture; it knows names and settings, never runtime code."""
