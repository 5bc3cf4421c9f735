"""The customer's layer (CMEK): encrypts and decrypts values with the customer's own key."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.keys.vault_events import VALUE_BYTES_MAX
from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext, layer_of
from signer.custody.errors import CorruptError
from sixgate.api import Json
from sixgate.authoring.customer_key import CustomerKey
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.files import read_key


def customer_key(file: Path) -> CustomerKey:
    """Load a customer key from its private file."""
    with wiping(read_key(file)) as key:
        return CustomerKey(key)


def require_customer_key(vault: Json, file: Path | None) -> None:
    """End the command unless ``file`` has the customer key that the vault has enrolled, if any."""
    enrolled: list[str] = vault["customer_keys"]
    if not enrolled and file is not None:
        fail_usage(f"{vault['vault']} has no customer key: omit --customer-key, or enrol the key")
    if enrolled and file is None:
        fail_usage(
            f"{vault['vault']} accepts only values under its customer key: give --customer-key"
        )
    if file is not None and customer_key(file).fingerprint != enrolled[-1]:
        fail_usage(
            f"{file} is not the customer key of {vault['vault']}, {enrolled[-1]}: give that key"
        )


def layered(value: bytes | bytearray, context: CmekContext, file: Path | None) -> bytes | bytearray:
    """Return a value encrypted with the customer key in ``file``, or unchanged without a file."""
    if file is None:
        return value
    sealed = customer_key(file).seal(context, value, secrets.token_bytes)
    if len(sealed) > VALUE_BYTES_MAX:
        most = VALUE_BYTES_MAX - (len(sealed) - len(value))
        fail_usage(f"under a customer key a value has at most {most} bytes: split it")
    return sealed


@contextmanager
def unlayered(value: bytearray, context: CmekContext, file: Path | None) -> Iterator[bytearray]:
    """Yield a value decrypted with the customer key in ``file``, if given; wipe it afterwards."""
    if file is None:
        yield value
        return
    key = customer_key(file)
    if layer_of(value) != key.fingerprint:
        found = layer_of(value) or "no customer key"
        fail_usage(
            f"{file} contains key {key.fingerprint}, but the value is under {found}: give the file "
            "of that key, or omit --customer-key"
        )
    try:
        opened = key.open(context, bytes(value))
    except CorruptError:
        fail_usage(f"the value does not open with the key in {file}: it was changed or moved")
    with wiping(opened):
        yield opened
