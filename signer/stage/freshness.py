"""Registry freshness: proves that no record was withheld and that the clocks agree.

A broker could withhold the newest records of the registry; an agent that an admin deactivated would
then stay active. A registrar therefore keeps signing heads: number and digest of the newest record,
and the time. A process that holds every record up to a head, and whose clock is within
``HEAD_SKEW_MS_MAX`` of that head, lacks no record that is older than the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.dsse import REGISTRY_HEAD_TYPE, Envelope
from schemas.ledger.heads import RegistryHead
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope

HEAD_SKEW_MS_MAX = 30_000
"""Largest difference between a head's time and the local clock; also how long a head is valid."""


class RegistryStaleError(Exception):
    """No valid head proves that the registry is complete and the clock right: the process halts."""


class RegistryHeadError(Exception):
    """The bytes are not a head of this registry, signed by an active registrar."""


class SignedHead(NamedTuple):
    """A verified head, with the name and the public key of the registrar that signed it."""

    registrar: str
    public_key: str
    head: RegistryHead


@dataclass(slots=True)
class RegistryHeads:
    """The newest head of every registrar; revoking a registrar also revokes its head."""

    by_registrar: dict[str, SignedHead] = field(default_factory=dict)

    def add(self, raw: bytes, registry: Registry, now_ms: int) -> None:
        """Store a valid head unless it is older than the registrar's stored one."""
        try:
            found = open_head(raw, registry)
        except RegistryHeadError:
            return
        known = self.by_registrar.get(found.registrar)
        if known is None or known.public_key != found.public_key or _replaces(found, known, now_ms):
            self.by_registrar[found.registrar] = found

    def active(self, registry: Registry) -> Iterator[RegistryHead]:
        """Yield the heads of registrars that are active now."""
        for name, public_key, head in self.by_registrar.values():
            if registry.service_key("registrar", name) == public_key:
                yield head

    def nearest(self, registry: Registry, now_ms: int) -> RegistryHead:
        """Return the head nearest to ``now_ms``.

        Raises ``RegistryStaleError`` if there is no head, if any head names a record that the
        registry lacks, or if the returned one is not fresh.
        """
        heads = sorted(self.active(registry), key=lambda head: abs(now_ms - head.at_ms))
        if not heads:
            raise RegistryStaleError(_no_head(registry))
        # Every head, not only the nearest: one registrar's proof of a withheld record is enough.
        for head in heads:
            require_not_withheld(head, registry)
        require_fresh(heads[0], now_ms)
        return heads[0]


def open_head(raw: bytes, registry: Registry) -> SignedHead:
    """Decode a head and verify that an active registrar of this organisation signed it.

    Raises ``RegistryHeadError``.
    """
    try:
        envelope = Envelope.decode(raw)
        name = envelope.signatures[0].keyid
        public_key = registry.service_key("registrar", name)
        if public_key is None:
            raise RegistryHeadError(f"no registrar {name} is registered")
        body = open_envelope(envelope, REGISTRY_HEAD_TYPE, public_key)
        head = RegistryHead.decode(body)
    except (MalformedError, InvalidSignatureError) as error:
        raise RegistryHeadError(str(error)) from None
    if head.org != registry.org:
        raise RegistryHeadError("the head belongs to another organisation")
    return SignedHead(name, public_key, head)


def require_not_withheld(head: RegistryHead, registry: Registry) -> None:
    """Raise ``RegistryStaleError`` unless the registry holds the record that a head names."""
    if head.sequence >= registry.record_count:
        raise RegistryStaleError(
            f"the registry is served without its last records: a registrar signed "
            f"{head.sequence + 1} records, but only {registry.record_count} were read; "
            f"{_CHECK_BROKERS}"
        )
    if registry.digests[head.sequence] != head.digest:
        raise RegistryStaleError(
            f"there are two registries: record {head.sequence} has another digest than the "
            f"registrar signed; {_CHECK_BROKERS}"
        )


def require_fresh(head: RegistryHead, now_ms: int) -> None:
    """Raise ``RegistryStaleError`` if a head has expired or its time is too far from ``now_ms``."""
    age_ms = now_ms - head.at_ms
    if age_ms > HEAD_SKEW_MS_MAX or now_ms > head.valid_until_ms:
        raise RegistryStaleError(
            f"the registry head nearest to this clock is {age_ms / 1000:.0f} s old: no registrar "
            "has signed since, or this clock is ahead of the registrar's; check that "
            f"sixgate registrar runs and that both clocks are right. {_NOTHING_CONSUMED}"
        )
    if age_ms < -HEAD_SKEW_MS_MAX:
        raise RegistryStaleError(
            f"the registry head nearest to this clock is {-age_ms / 1000:.0f} s ahead of it: this "
            f"clock or the registrar's is wrong; correct it and restart. {_NOTHING_CONSUMED}"
        )


_NOTHING_CONSUMED = "Nothing was consumed"
NO_REGISTRY = f"Kafka holds no registry: run sixgate publish. {_NOTHING_CONSUMED}"
_CHECK_BROKERS = f"check the brokers and their principals. {_NOTHING_CONSUMED}"


def _replaces(found: SignedHead, known: SignedHead, now_ms: int) -> bool:
    """Return whether ``found`` replaces ``known``; any head replaces one from the future."""
    return found.head.at_ms >= known.head.at_ms or known.head.at_ms > now_ms + HEAD_SKEW_MS_MAX


def _no_head(registry: Registry) -> str:
    if not registry.record_count:
        return NO_REGISTRY
    if any(role == "registrar" and one.active for (role, _), one in registry.services.items()):
        return (
            "no registrar has signed a head of the registry: start sixgate registrar. "
            f"{_NOTHING_CONSUMED}"
        )
    return (
        "no registrar is registered, so nothing proves that the registry is complete: run sixgate "
        f"services add registrar-0, then start sixgate registrar. {_NOTHING_CONSUMED}"
    )
