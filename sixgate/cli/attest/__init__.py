"""``sixgate attest``: fetches and verifies evidence, and verifies recorded signer boots."""
