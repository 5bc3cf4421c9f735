"""One life of an attested signer: what it says of itself, and evidence of the machine it ran on."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical, digest
from schemas.dsse import Base64
from schemas.fields import (
    Count,
    Digest,
    Ed25519PublicKey,
    Ed25519Signature,
    Name,
    Ordinal,
    Text,
    TimeMs,
    Unique,
)

EVIDENCE_BASE64_MAX = 192 * 1024


class BootFacts(Canonical):
    """What names a boot; its digest is the boot id, which outcomes repeat.

    ``public_key`` signs the outcomes. ``registry`` and ``registry_sequence`` are the newest record
    that was read, so the boot is no older than that. ``unique`` is random, and tells two boots of
    one millisecond apart.
    """

    v: Literal[1] = 1
    org: Name
    signer: Name
    public_key: Ed25519PublicKey
    started_at_ms: TimeMs
    configuration: Digest
    key_set: Digest
    registry: Digest
    registry_sequence: Count
    unique: Unique

    def boot_id(self) -> str:
        """Return the digest that names the boot."""
        return digest("sixgate/boot/v1", self.encode())


def start_id(unique: str) -> str:
    """Name the start of a life by its boot's ``unique`` (0x hex), before there is a boot."""
    return digest("sixgate/signer-start/v1", bytes.fromhex(unique[2:]))


class KeySet(Canonical):
    """What names the keys that a signer holds: whose they are, not which there are at a moment."""

    v: Literal[1] = 1
    org: Name
    signer: Name
    trust_root: Digest

    def key_set_id(self) -> str:
        """Return the digest that names the set."""
        return digest("sixgate/key-set/v1", self.encode())


class SignerConfiguration(Canonical):
    """How a signer was started; its digest is the ``configuration`` that evidence binds.

    ``software`` is the version of this package as it says itself; only a measurement proves code.
    """

    v: Literal[1] = 1
    software: Text
    platform: Name
    trust_root: Digest
    partitions: Ordinal
    partitions_per_slot: Ordinal
    slots: tuple[Count, ...]
    ledger_required: bool
    head_required: bool

    def configuration_digest(self) -> str:
        """Return the digest that names the configuration."""
        return digest("sixgate/signer-configuration/v1", self.encode())


class SignerBoot(Canonical):
    """The record of a boot; ``id`` is the boot id, ``evidence`` an evidence file in base64.

    The evidence's nonce is the boot id, so the machine's report binds all that ``facts`` say.
    """

    v: Literal[1] = 1
    type: Literal["signer.boot"] = "signer.boot"
    id: Digest
    facts: BootFacts
    evidence: Annotated[Base64, Field(max_length=EVIDENCE_BASE64_MAX)]
    evidence_digest: Digest
    simulated: bool
    signature: Ed25519Signature | None = None


def evidence_digest(file: bytes) -> str:
    """Name an evidence file by its canonical bytes."""
    return digest("sixgate/evidence/v1", file)
