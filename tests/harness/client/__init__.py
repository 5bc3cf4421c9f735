"""Scripted answers for the Python client."""
