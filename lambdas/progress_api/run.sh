#!/bin/sh
# What the Lambda Web Adapter starts in the function; it hands each request on to this server.
export PYTHONPATH="/opt/python:$LAMBDA_RUNTIME_DIR"
exec python3 -m background_jobs.progress_api "$AWS_LWA_PORT"
