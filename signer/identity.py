"""A signer's own identity, sealed under a root key for one organisation, service and purpose.

Two secrets, 32 bytes each: the seed that signs outcomes and answers, and the key of the MACs over
its state. Where the root is a cloud's, or a release's, the file that holds them opens nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal, NoReturn

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Ed25519PublicKey, Hex, Name
from schemas.release import IdentityContext
from signer.attestation.release.policy import SOFTWARE_KMS
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.envelope import require_same
from signer.custody.errors import CorruptError
from signer.custody.kms.port import WRAPPED_BYTES_MAX, RootKms, require_wrapped
from signer.signatures import Ed25519Signer

SEED_BYTES = 32
SECRETS_BYTES = 2 * SEED_BYTES


class SealedIdentity(Canonical):
    """The file of an identity: whose it is, and its secrets as ``root`` (a key's id) wrapped them.

    ``root`` only says whom to ask: under another one, or for another place, nothing opens.
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
        """The name that it signs by."""
        return self.service

    @property
    def in_software(self) -> bool:
        """Whether the root is a key in a file, which whoever copies both files has."""
        return self.root.startswith(SOFTWARE_KMS)

    def context(self) -> bytes:
        """Return what the root authenticates."""
        return identity_context(self.org, self.service)


@dataclass(frozen=True, slots=True)
class Identity:
    """An open identity: who signs, and the key of its state's MACs."""

    signer: Ed25519Signer
    state_key: bytes = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("An Identity cannot be copied or pickled: it holds a secret key.")


def identity_context(org: str, service: str) -> bytes:
    """Return the place of a service's identity, as roots and releases authenticate it."""
    return IdentityContext(org=org, service=service).encode()


def new_identity(
    root: RootKms, org: str, service: str, random_bytes: RandomBytes
) -> SealedIdentity:
    """Make an identity, sealed under a root; raise ``CustodyError``."""
    with wiping(draw(random_bytes, SECRETS_BYTES)) as secrets:
        return seal_identity(root, org, service, secrets)


def seal_identity(root: RootKms, org: str, service: str, secrets: bytearray) -> SealedIdentity:
    """Seal secrets that the caller wipes, proven to open to the same.

    Raise what ``RootKms`` raises; ``CorruptError`` when it gives back something else.
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
    """Open an identity; raise what ``RootKms`` raises, ``CorruptError`` where it is another's."""
    with _opened(root, sealed) as secrets, memoryview(secrets) as view:
        return Identity(_signer(sealed.service, secrets), bytes(view[SEED_BYTES:]))


def reseal_identity(source: RootKms, target: RootKms, sealed: SealedIdentity) -> SealedIdentity:
    """Return the same identity under another root; raise what opening and sealing raise."""
    with _opened(source, sealed) as secrets:
        return seal_identity(target, sealed.org, sealed.service, secrets)


@contextmanager
def _opened(root: RootKms, sealed: SealedIdentity) -> Iterator[bytearray]:
    wrapped = bytes.fromhex(sealed.sealed[2:])
    require_wrapped(wrapped)
    with wiping(root.unwrap(wrapped, sealed.context())) as secrets:
        if len(secrets) != SECRETS_BYTES:
            raise CorruptError("A signer's identity opened to something else; restore its file.")
        if _signer(sealed.service, secrets).public_key != sealed.public_key:
            raise CorruptError("A signer's identity is not that of its public key; restore it.")
        yield secrets


def _signer(service: str, secrets: bytearray) -> Ed25519Signer:
    with memoryview(secrets) as view:
        return Ed25519Signer(service, view[:SEED_BYTES])
