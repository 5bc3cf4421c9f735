"""``sixgate demo``: the whole pipeline once, from nothing to a verified ledger."""
