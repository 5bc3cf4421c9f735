"""Sealing keys: the key for a client share, in a private file until the share is saved."""

import secrets
from pathlib import Path

from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wiping
from signer.custody.hpke import KEY_BYTES, HpkeKey
from sixgate.cli.secrets.files import read_own
from sixgate.cli.session import fail_usage

SUFFIX = ".sealing-key"
_FILE_BYTES_MAX = 1024
_HEX = 2 * KEY_BYTES


def sealing_key_file(share_out: Path) -> Path:
    """Return the file of the sealing key for the share in ``share_out``."""
    return share_out.with_name(share_out.name + SUFFIX)


def create_sealing_key(file: Path, about: str) -> HpkeKey:
    """Return a new key after writing it, with its purpose, durably to a private file."""
    with wiping(bytearray(secrets.token_bytes(KEY_BYTES))) as private:
        with wiping(bytearray(f"{private.hex()}\n{about}\n".encode())) as text:
            write_atomic(file, text, replace=False, mode=MODE_PRIVATE)
        return HpkeKey(private)


def load_sealing_key(file: Path, about: str) -> HpkeKey:
    """Return the key in a file; a key with another purpose ends the command."""
    with wiping(read_own(file, _FILE_BYTES_MAX)) as text:
        if text[_HEX:] != f"\n{about}\n".encode():
            what = bytes(text[_HEX:]).decode(errors="replace").strip() or "nothing"
            fail_usage(f"{file} is for the share of {what!a}: choose another --share-out")
        try:
            with wiping(bytearray.fromhex(text[:_HEX].decode("ascii"))) as private:
                return HpkeKey(private)
        except ValueError:
            fail_usage(f"{file} contains no key: choose another --share-out")
