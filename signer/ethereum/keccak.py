# `sha3` is the C extension of safe-pysha3, taken directly: eth_hash would choose its backend
# from an environment variable, and a signer must not get another hash implementation (or one
# twenty times slower) because a variable was missing. Without the extension nothing starts.
from sha3 import keccak_256


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of ``data``, the original padding, not FIPS 202 SHA-3."""
    digest: bytes = keccak_256(data).digest()
    return digest
