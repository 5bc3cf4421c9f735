"""Independent recomputation: proves the promises from topics and ledger alone."""
