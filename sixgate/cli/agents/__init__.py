"""``sixgate agents`` and ``access``: agents, their policies and their rights on vaults."""
