"""Organisations and their processes, embedded and on Kafka: start, kill, stop and wait."""
