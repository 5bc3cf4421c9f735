"""Ed25519 keys of people and processes in PEM files (PKCS #8, RFC 8410) that only they can read."""

import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from signer.signatures import Ed25519Signer
from sixgate.whole_file import MODE_PRIVATE, write_whole

SEED_BYTES = 32


class KeyFileError(Exception):
    """A key file cannot be used; the message says why and what to do."""


def create_key_file(path: Path, seed: bytes) -> None:
    """Write a new key with mode 0600; raise ``KeyFileError`` if the file exists."""
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        write_whole(path, pem, replace=False, mode=MODE_PRIVATE)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be created: {error.strerror}") from None


def load_key_file(path: Path, keyid: str) -> Ed25519Signer:
    """Open a key file; raise ``KeyFileError`` if it is missing, readable by others or no key."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(f"{path} can be read by others: run chmod 600 on it")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise KeyFileError(f"{path} is no key file: restore it from a backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds another kind of key: an Ed25519 key is needed")
    return Ed25519Signer(keyid, key.private_bytes_raw())
