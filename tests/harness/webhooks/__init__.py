"""Receivers of webhooks, friendly and hostile, and what delivers to them."""
