"""Boots of an attested signer: the facts of one run, and the evidence of its machine."""

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
    """The facts of a boot; their digest is the boot id, which outcomes repeat.

    ``public_key`` signs the outcomes. ``registry`` and ``registry_sequence`` are the newest record
    that was read, so the boot is no older than that record. ``unique`` is random, so that two boots
    in the same millisecond differ.
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
        """Return the boot id."""
        return digest("sixgate/boot/v1", self.encode())


def start_id(unique: str) -> str:
    """Return the id of a start, from its boot's ``unique`` (0x hex), before the boot exists."""
    return digest("sixgate/signer-start/v1", bytes.fromhex(unique[2:]))


class KeySet(Canonical):
    """Identifies the keys that a signer holds by their owner, not by their current content."""

    v: Literal[1] = 1
    org: Name
    signer: Name
    trust_root: Digest

    def key_set_id(self) -> str:
        """Return the digest of the set."""
        return digest("sixgate/key-set/v1", self.encode())


class SignerConfiguration(Canonical):
    """The settings of a signer; their digest is the ``configuration`` that evidence binds.

    ``software`` is the package's version as the process claims it; only a measurement proves code.
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
        """Return the configuration digest."""
        return digest("sixgate/signer-configuration/v1", self.encode())


class SignerBoot(Canonical):
    """The record of a boot; ``id`` is the boot id, ``evidence`` an evidence file in base64.

    The evidence's nonce is the boot id, so the machine's report binds all ``facts``.
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
    """Return the digest of an evidence file's canonical bytes."""
    return digest("sixgate/evidence/v1", file)
