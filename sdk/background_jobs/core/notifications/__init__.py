"""Telling people and services that an orchestration has ended: channels, messages and signatures."""
