"""Attestor: makes the record of a signer's boot, and evidence for customers and releases."""

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from schemas.keys.boot import BootFacts, SignerBoot, start_id
from signer.attestation.boot import boot_binding, boot_record, customer_binding, signer_file
from signer.attestation.release.client.exchange import Requester
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Evidence, EvidenceFile
from signer.core.registry.registry import Registry

UNIQUE_BYTES = 16


class AttestedIdentity(Protocol):
    """Name and public key of the attested signer; its private key need not be open."""

    @property
    def keyid(self) -> str:
        """The signer's name."""
        ...

    @property
    def public_key(self) -> str:
        """Its Ed25519 public key (0x hex)."""
        ...


class EvidenceSource(NamedTuple):
    """Source of evidence: a platform with its certificates, real or simulated.

    ``evidence`` raises ``CollectionError``.
    """

    evidence: Callable[[Binding], Evidence]
    simulated: bool


class BoundClaims(NamedTuple):
    """Organisation, and the two digests (0x hex) that a signer binds in all its evidence."""

    org: str
    key_set: str
    configuration: str


class Attestor:
    """Attests one boot of a signer process with all its slots. Thread-safe."""

    def __init__(
        self,
        identity: AttestedIdentity,
        source: EvidenceSource,
        bound: BoundClaims,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._identity = identity
        self._source = source
        self._bound = bound
        self._started_at_ms = now_ms()
        self._unique = f"0x{random_bytes(UNIQUE_BYTES).hex()}"
        self._lock = threading.Lock()
        self._boot: SignerBoot | None = None

    def boot(self, registry: Registry) -> SignerBoot:
        """Return the unsigned record of this boot; the first call makes it and fixes ``registry``.

        Raises ``CollectionError``.
        """
        with self._lock:
            # Once: every slot of the process must name the same boot.
            if self._boot is None:
                facts = self._facts(registry)
                evidence = self._source.evidence(boot_binding(facts))
                self._boot = boot_record(facts, evidence, simulated=self._source.simulated)
            return self._boot

    def evidence(self, nonce: bytes) -> EvidenceFile | None:
        """Return evidence for a customer's nonce; None before the boot record exists.

        Raises ``ValueError`` if the nonce is not 32 to 64 bytes, and ``CollectionError``.
        """
        with self._lock:
            if self._boot is None:
                return None
            facts = self._boot.facts
            evidence = self._source.evidence(customer_binding(facts, nonce))
            return signer_file(facts, evidence, nonce)

    def requester(self) -> Requester | None:
        """Return this boot as requester of a key release; None before the boot record exists."""
        with self._lock:
            if self._boot is None:
                return None
            bound, signer = self._bound, self._identity.keyid
            return Requester(bound.org, signer, self._boot.id, bound.configuration)

    def start_requester(self) -> Requester:
        """Return this start as requester of the signer's identity, before the boot record exists.

        The request names the digest of ``unique``, which leads from the boot's facts to the grant.
        """
        bound, signer = self._bound, self._identity.keyid
        return Requester(bound.org, signer, start_id(self._unique), bound.configuration)

    def release_evidence(self, binding: Binding) -> Evidence:
        """Return evidence for a release.

        Raises ``CollectionError``, and ``ValueError`` for another purpose: a caller must not obtain
        evidence of a boot or for a customer this way.
        """
        if binding.purpose is not Purpose.KEY_RELEASE:
            raise ValueError("evidence for a release must have the purpose key-release")
        with self._lock:
            return self._source.evidence(binding)

    def _facts(self, registry: Registry) -> BootFacts:
        return BootFacts(
            org=self._bound.org,
            signer=self._identity.keyid,
            public_key=self._identity.public_key,
            started_at_ms=self._started_at_ms,
            configuration=self._bound.configuration,
            key_set=self._bound.key_set,
            registry=registry.last_digest,
            registry_sequence=registry.record_count,
            unique=self._unique,
        )
