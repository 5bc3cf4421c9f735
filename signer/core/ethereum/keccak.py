"""Keccak-256."""

# `sha3` is the C extension of safe-pysha3, imported directly: eth_hash chooses its backend from an
# environment variable, and a missing variable must not give the signer another hash implementation
# (or one twenty times slower). Without the extension the import fails and nothing starts.
from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of ``data`` (original padding, not FIPS 202 SHA-3)."""
    digest: bytes = keccak_256(data).digest()
    return digest
