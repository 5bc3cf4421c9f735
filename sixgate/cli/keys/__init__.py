"""``sixgate keys``: signing keys."""
