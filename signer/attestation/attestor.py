"""One life of a signer, attested: the record of its boot, and evidence for whoever asks."""

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from schemas.boot import BootFacts, SignerBoot, start_id
from signer.attestation.binding import Binding, Purpose
from signer.attestation.boot import boot_binding, boot_record, customer_binding, signer_file
from signer.attestation.evidence import EvidenceFile
from signer.attestation.release.client import Asking
from signer.attestation.verify import Evidence
from signer.registry import Registry

UNIQUE_BYTES = 16


class Speaker(Protocol):
    """Who is attested: the name and public key of a signer, whether or not its key is open."""

    @property
    def keyid(self) -> str:
        """The name that it signs by."""
        ...

    @property
    def public_key(self) -> str:
        """Its Ed25519 public key (0x hex)."""
        ...


class Source(NamedTuple):
    """Where evidence comes from: a platform with its certificates, or a simulated one.

    ``evidence`` raises ``CollectionError``.
    """

    evidence: Callable[[Binding], Evidence]
    simulated: bool


class Bound(NamedTuple):
    """What a signer binds in all its evidence: two digests (0x hex), and the organisation."""

    org: str
    key_set: str
    configuration: str


class Attestor:
    """Speaks for one life of a signer, whatever its slots; any thread may call."""

    def __init__(
        self,
        identity: Speaker,
        source: Source,
        bound: Bound,
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
        """Return the record of this life, unsigned; the first who asks says how far it read.

        Raises ``CollectionError``.
        """
        with self._lock:
            if self._boot is None:
                facts = self._facts(registry)
                evidence = self._source.evidence(boot_binding(facts))
                self._boot = boot_record(facts, evidence, simulated=self._source.simulated)
            return self._boot

    def evidence(self, nonce: bytes) -> EvidenceFile | None:
        """Return evidence for a customer's nonce; None before there is a boot to speak for.

        Raises ``ValueError`` for a nonce that is not 32 to 64 bytes, ``CollectionError``.
        """
        with self._lock:
            if self._boot is None:
                return None
            facts = self._boot.facts
            evidence = self._source.evidence(customer_binding(facts, nonce))
            return signer_file(facts, evidence, nonce)

    def asking(self) -> Asking | None:
        """Return who asks a release for keys; None before there is a boot to speak for."""
        with self._lock:
            if self._boot is None:
                return None
            bound, signer = self._bound, self._identity.keyid
            return Asking(bound.org, signer, self._boot.id, bound.configuration)

    def starting(self) -> Asking:
        """Return who asks a release for its own identity, which it needs before it has a boot.

        What is asked names the start; the boot's facts tell which one that was.
        """
        bound, signer = self._bound, self._identity.keyid
        return Asking(bound.org, signer, start_id(self._unique), bound.configuration)

    def release_evidence(self, binding: Binding) -> Evidence:
        """Return evidence for a release; raises ``CollectionError``.

        ``ValueError`` for another purpose: what is for customers has ways of its own.
        """
        if binding.purpose is not Purpose.KEY_RELEASE:
            raise ValueError("evidence for a release binds its purpose")
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
            registry=registry.head,
            registry_sequence=registry.sequence,
            unique=self._unique,
        )
