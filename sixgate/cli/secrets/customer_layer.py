"""The customer's own layer over values (CMEK), as commands put it on and take it off."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.vault_events import VALUE_BYTES_MAX
from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext, layer_of
from signer.custody.errors import CorruptError
from sixgate.api import Json
from sixgate.authoring.customer_key import CustomerKey
from sixgate.cli.secrets.files import read_key
from sixgate.cli.session import usage


def customer_key(file: Path) -> CustomerKey:
    """Open a customer's key from its private file."""
    with wiping(read_key(file)) as key:
        return CustomerKey(key)


def require_customer_key(vault: Json, file: Path | None) -> None:
    """End the command unless a value will be under the key that the vault's customer enrolled."""
    enrolled: list[str] = vault["customer_keys"]
    if not enrolled and file is not None:
        usage(f"{vault['vault']} has no customer's key: leave --customer-key out, or enrol it")
    if enrolled and file is None:
        usage(f"{vault['vault']} takes values under its customer's key alone: say --customer-key")
    if file is not None and customer_key(file).fingerprint != enrolled[-1]:
        usage(f"{file} holds another key than {vault['vault']} has enrolled, {enrolled[-1]}")


def layered(value: bytes | bytearray, place: CmekContext, file: Path | None) -> bytes | bytearray:
    """Return a value under the customer's key, if a file names one."""
    if file is None:
        return value
    sealed = customer_key(file).seal(place, value, secrets.token_bytes)
    if len(sealed) > VALUE_BYTES_MAX:
        most = VALUE_BYTES_MAX - (len(sealed) - len(value))
        usage(f"under the customer's key a value has at most {most} bytes: split it")
    return sealed


@contextmanager
def unlayered(value: bytearray, place: CmekContext, file: Path | None) -> Iterator[bytearray]:
    """Lend a value without the customer's layer, if a file names the key; it is wiped."""
    if file is None:
        yield value
        return
    key = customer_key(file)
    if layer_of(value) != key.fingerprint:
        found = layer_of(value) or "none"
        usage(f"{file} holds the key {key.fingerprint}, and the value is under {found}")
    try:
        opened = key.open(place, bytes(value))
    except CorruptError:
        usage(f"the value does not open under the key in {file}: it was changed or moved")
    with wiping(opened):
        yield opened
