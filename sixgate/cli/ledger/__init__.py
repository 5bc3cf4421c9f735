"""``sixgate ledger``: the ledger verified, asked, taken away and served."""
