"""The stack: one construct for each part; it knows names and settings, never runtime code."""
