"""Ed25519 (RFC 8032) on a key that stays in its caller's buffer: OpenSSL through cryptography.

OpenSSL copies the key into its own memory and clears that copy when the object is dropped.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_BYTES = 32
PUBLIC_KEY_BYTES = 32


def public_key(secret: bytearray) -> bytes:
    """Return the public key, 32 bytes; ``ValueError`` unless the secret has 32 bytes.

    All zeros raise ``ValueError`` too: RFC 8032 allows that key, but it is not secret.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"An Ed25519 key is {SECRET_BYTES} bytes, not {len(secret)}.")
    if not any(secret):
        raise ValueError("An Ed25519 key of zeros is not secret.")
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
