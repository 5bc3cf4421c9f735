"""Ed25519 keys of admins, agents and services in private PEM files (PKCS #8, RFC 8410).

A file is written atomically and never replaced: if the process dies, it is absent or complete.
"""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wiping
from signer.custody.errors import PrivateFileError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.private_file import read_private

SEED_BYTES = 32
PEM_BYTES_MAX = 4_096


class KeyFileError(Exception):
    """A key file cannot be used; the message says why and what to do."""


def create_key_file(path: Path, seed: bytes) -> None:
    """Write a new key with mode 0600; raise ``KeyFileError`` if the file exists."""
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        write_atomic(path, pem, replace=False, mode=MODE_PRIVATE)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be created: {error.strerror}") from None


def ensure_public_key(path: Path, keyid: str) -> str:
    """Return the public key of a key file; create the file if it is missing.

    Raises ``KeyFileError``.
    """
    if not path.exists():
        create_key_file(path, secrets.token_bytes(SEED_BYTES))
    return load_key_file(path, keyid).public_key


def load_key_file(path: Path, keyid: str) -> Ed25519Signer:
    """Load a key file; raise ``KeyFileError`` if it is missing, not private or not Ed25519."""
    return Ed25519Signer(keyid, _private_key(path).private_bytes_raw())


def ensure_private_key(path: Path) -> Ed25519PrivateKey:
    """Return the key of a key file, for a library that signs; create the file if it is missing.

    Raises ``KeyFileError``.
    """
    if not path.exists():
        create_key_file(path, secrets.token_bytes(SEED_BYTES))
    return _private_key(path)


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        with wiping(read_private(path, PEM_BYTES_MAX)) as pem:
            key = load_pem_private_key(pem, password=None)
    except PrivateFileError as error:
        raise KeyFileError(f"{path} {error}") from None
    except (ValueError, TypeError):
        raise KeyFileError(f"{path} is not a key file: restore it from a backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is not an Ed25519 key: restore it from a backup")
    return key
