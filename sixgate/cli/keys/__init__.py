"""``sixgate keys``: signing keys, which stay inside."""
