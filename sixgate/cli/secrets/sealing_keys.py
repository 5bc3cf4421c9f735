"""The key that a client's share is sealed for: on disk, private, until the share is."""

import secrets
from pathlib import Path

from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wiping
from signer.custody.hpke import KEY_BYTES, HpkeKey
from sixgate.cli.secrets.files import read_own
from sixgate.cli.session import usage

SUFFIX = ".sealing-key"
_KEPT_BYTES_MAX = 1024
_HEX = 2 * KEY_BYTES


def kept_beside(share_out: Path) -> Path:
    """Return the file of the key for a share that is to be in ``share_out``."""
    return share_out.with_name(share_out.name + SUFFIX)


def new_sealing_key(kept: Path, about: str) -> HpkeKey:
    """Return a new key that is durable in a private file, with what it is for."""
    with wiping(bytearray(secrets.token_bytes(KEY_BYTES))) as private:
        with wiping(bytearray(f"{private.hex()}\n{about}\n".encode())) as text:
            write_atomic(kept, text, replace=False, mode=MODE_PRIVATE)
        return HpkeKey(private)


def kept_sealing_key(kept: Path, about: str) -> HpkeKey:
    """Return the key in a file; end the command for one that is for something else."""
    with wiping(read_own(kept, _KEPT_BYTES_MAX)) as text:
        if text[_HEX:] != f"\n{about}\n".encode():
            what = bytes(text[_HEX:]).decode(errors="replace").strip() or "nothing"
            usage(f"{kept} is for the share of {what!a}: name another --share-out")
        try:
            with wiping(bytearray.fromhex(text[:_HEX].decode("ascii"))) as private:
                return HpkeKey(private)
        except ValueError:
            usage(f"{kept} holds no key: name another --share-out")
