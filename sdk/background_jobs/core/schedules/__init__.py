"""Schedules: what they are, when they are due, and what becomes of each occurrence."""
