"""``sixgate attest``: evidence fetched and verified, and the lives of signers on record."""
