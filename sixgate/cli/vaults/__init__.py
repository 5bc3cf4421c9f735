"""``sixgate vaults``: what holds secrets and keys, and the keys above it."""
