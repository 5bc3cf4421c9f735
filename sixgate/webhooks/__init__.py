"""Webhooks: signed HTTP notifications of outcomes, delivered in order and at least once."""
