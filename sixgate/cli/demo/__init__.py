"""``sixgate demo``: runs the whole pipeline once, up to a verified ledger."""
