"""A signer's identity, sealed under a root key for one organisation, service and purpose.

It has two secrets of 32 bytes: the seed that signs outcomes and answers, and the MAC key of its
state. If the root key is in a cloud KMS or behind a key release, a copy of the identity file opens
nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal, NoReturn

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Ed25519PublicKey, Hex, Name
from schemas.keys.release import IdentityContext
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.envelope import require_same
from signer.custody.errors import CorruptError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.kms.port import SOFTWARE_KMS, WRAPPED_BYTES_MAX, RootKms, require_wrapped

SEED_BYTES = 32
SECRETS_BYTES = 2 * SEED_BYTES


class SealedIdentity(Canonical):
    """The identity file: its owner, and its secrets wrapped by ``root`` (a key id).

    ``root`` is only a hint where to unwrap: another root key or context cannot open the secrets.
    """

    v: Literal[1] = 1
    type: Literal["signer.identity"] = "signer.identity"
    org: Name
    service: Name
    public_key: Ed25519PublicKey
    root: Annotated[str, Field(min_length=1, max_length=1024)]
    sealed: Annotated[Hex, Field(max_length=2 + 2 * WRAPPED_BYTES_MAX)]

    @property
    def keyid(self) -> str:
        """The name under which it signs."""
        return self.service

    @property
    def in_software(self) -> bool:
        """Whether the root is a key in a file, so that copying both files copies the identity."""
        return self.root.startswith(SOFTWARE_KMS)

    def context(self) -> bytes:
        """Return the context that the root authenticates."""
        return identity_context(self.org, self.service)


@dataclass(frozen=True, slots=True)
class Identity:
    """An open identity: its signing key, and the MAC key of its state."""

    signer: Ed25519Signer
    state_key: bytes = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("An Identity cannot be copied or pickled: it holds a secret key.")


def identity_context(org: str, service: str) -> bytes:
    """Return the context of a service's identity, which roots and releases authenticate."""
    return IdentityContext(org=org, service=service).encode()


def new_identity(
    root: RootKms, org: str, service: str, random_bytes: RandomBytes
) -> SealedIdentity:
    """Generate an identity, sealed under a root; raise ``CustodyError``."""
    with wiping(draw(random_bytes, SECRETS_BYTES)) as secrets:
        return seal_identity(root, org, service, secrets)


def seal_identity(root: RootKms, org: str, service: str, secrets: bytearray) -> SealedIdentity:
    """Seal secrets that the caller wipes, and open them once to verify.

    Raises what ``RootKms`` raises; ``CorruptError`` if they unwrap to other bytes.
    """
    context = identity_context(org, service)
    wrapped = root.wrap(secrets, context)
    with wiping(root.unwrap(wrapped, context)) as proof:
        require_same(proof, secrets)
    return SealedIdentity(
        org=org,
        service=service,
        public_key=_signer(service, secrets).public_key,
        root=root.key_id,
        sealed=f"0x{wrapped.hex()}",
    )


def open_identity(root: RootKms, sealed: SealedIdentity) -> Identity:
    """Open an identity; raise what ``RootKms`` raises, ``CorruptError`` if its keys mismatch."""
    with _unsealed(root, sealed) as secrets, memoryview(secrets) as view:
        return Identity(_signer(sealed.service, secrets), bytes(view[SEED_BYTES:]))


def reseal_identity(source: RootKms, target: RootKms, sealed: SealedIdentity) -> SealedIdentity:
    """Return the same identity under another root; raise what opening and sealing raise."""
    with _unsealed(source, sealed) as secrets:
        return seal_identity(target, sealed.org, sealed.service, secrets)


@contextmanager
def _unsealed(root: RootKms, sealed: SealedIdentity) -> Iterator[bytearray]:
    wrapped = bytes.fromhex(sealed.sealed[2:])
    require_wrapped(wrapped)
    with wiping(root.unwrap(wrapped, sealed.context())) as secrets:
        if len(secrets) != SECRETS_BYTES:
            raise CorruptError("A signer's identity has an unexpected length; restore its file.")
        if _signer(sealed.service, secrets).public_key != sealed.public_key:
            raise CorruptError("A signer's identity does not match its public key; restore it.")
        yield secrets


def _signer(service: str, secrets: bytearray) -> Ed25519Signer:
    with memoryview(secrets) as view:
        return Ed25519Signer(service, view[:SEED_BYTES])
