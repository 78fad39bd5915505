"""The report of an orchestration: one HTML file with all of it, which needs no server and runs no script."""
