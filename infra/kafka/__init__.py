"""Kafka's topics and rights as files, for whoever does not make them with ``sixgate topics``."""
