"""``sixgate ledger``: verifies, queries, exports and serves the ledger."""
