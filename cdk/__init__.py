"""The stack: one construct for each part. It imports `core` and `settings`, and no runtime code."""
