"""The progress API: one FastAPI application, for API Gateway, the offline stack and the console."""
