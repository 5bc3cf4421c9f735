"""Kafka topics and ACLs as YAML files, for operators who do not use ``sixgate topics``."""
