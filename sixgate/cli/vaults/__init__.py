"""``sixgate vaults``: vaults, their keys, backups and recoveries."""
