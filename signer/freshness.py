"""Is what was read of the registry all there is, and do the clocks agree?

Whoever carries the registry could leave out its last records, and an agent would stay active that
an admin deactivated. A registrar therefore signs, again and again, how far the registry goes and
when it looked. Who has such a head, young by its own clock, and every record that it names, lacks
nothing that is older than the head; and two machines agree about the time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.dsse import REGISTRY_HEAD_TYPE, Envelope
from schemas.heads import RegistryHead
from signer.registry import Registry
from signer.signatures import Ed25519Signer, InvalidSignatureError, open_envelope

HEAD_SKEW_MS_MAX = 30_000
"""How far apart a head and a clock may be, so also for how long a head is worth something."""


class RegistryStaleError(Exception):
    """Nobody proves that the registry is all there is, or that the clock is right: a halt."""


class RegistryHeadError(Exception):
    """Bytes that are no head of this registry by a registrar that counts."""


class SignedHead(NamedTuple):
    """A head, and which key of which registrar signed it."""

    registrar: str
    public_key: str
    head: RegistryHead


@dataclass(slots=True)
class RegistryHeads:
    """The newest head of every registrar; a registrar that is taken back takes its head along."""

    by_registrar: dict[str, SignedHead] = field(default_factory=dict)

    def add(self, raw: bytes, registry: Registry, now_ms: int) -> None:
        """Take a head; one that proves nothing, or is older than what is known, changes nothing."""
        try:
            found = open_head(raw, registry)
        except RegistryHeadError:
            return
        known = self.by_registrar.get(found.registrar)
        if known is None or known.public_key != found.public_key or _later(found, known, now_ms):
            self.by_registrar[found.registrar] = found

    def active(self, registry: Registry) -> Iterator[RegistryHead]:
        """Yield the heads of registrars that are active now."""
        for name, public_key, head in self.by_registrar.values():
            if registry.service_key("registrar", name) == public_key:
                yield head

    def newest(self, registry: Registry, now_ms: int) -> RegistryHead:
        """Return the head nearest to now; raise ``RegistryStaleError`` unless it says all is well.

        No head may name a record that the registry lacks.
        """
        heads = sorted(self.active(registry), key=lambda head: abs(now_ms - head.at_ms))
        if not heads:
            raise RegistryStaleError(_nobody_says(registry))
        for head in heads:
            require_not_withheld(head, registry)
        require_fresh(heads[0], now_ms)
        return heads[0]


def next_head(
    registrar: Ed25519Signer, registry: Registry, heads: Iterable[RegistryHead], now_ms: int
) -> bytes:
    """Return a registrar's signed word on a registry, ``heads`` being those there are.

    Raises ``RegistryStaleError`` where it is not registered, or a head names what the registry
    lacks.
    """
    if registry.service_key("registrar", registrar.keyid) != registrar.public_key:
        raise RegistryStaleError(_unregistered(registrar.keyid, registry))
    for known in heads:
        require_not_withheld(known, registry)
    head = RegistryHead(
        org=registry.org,
        sequence=registry.sequence - 1,
        digest=registry.head,
        at_ms=now_ms,
        valid_until_ms=now_ms + HEAD_SKEW_MS_MAX,
    )
    return registrar.seal(REGISTRY_HEAD_TYPE, head.encode()).encode()


def open_head(raw: bytes, registry: Registry) -> SignedHead:
    """Return a head that an active registrar of this organisation signed.

    Raise ``RegistryHeadError``.
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
    """Raise ``RegistryStaleError`` unless the registry has the record that a head names."""
    if head.sequence >= registry.sequence:
        raise RegistryStaleError(
            f"the registry is served without its last records: a registrar saw record "
            f"{head.sequence}, and only {registry.sequence} were read; {_LOOK}"
        )
    if registry.digests[head.sequence] != head.digest:
        raise RegistryStaleError(
            f"there are two registries: record {head.sequence} is another one than the registrar "
            f"saw; {_LOOK}"
        )


def require_fresh(head: RegistryHead, now_ms: int) -> None:
    """Raise ``RegistryStaleError`` where a head is out of date or a clock is wrong."""
    age_ms = now_ms - head.at_ms
    if age_ms > HEAD_SKEW_MS_MAX or now_ms > head.valid_until_ms:
        raise RegistryStaleError(
            f"the newest head of the registry is {age_ms / 1000:.0f} s old by this clock: no "
            "registrar has signed since, or this clock is ahead of the registrar's; see that "
            f"sixgate registrar runs and that both clocks are right. {_HALTED}"
        )
    if age_ms < -HEAD_SKEW_MS_MAX:
        raise RegistryStaleError(
            f"the newest head of the registry is {-age_ms / 1000:.0f} s ahead of this clock: this "
            f"one or the registrar's is wrong; set it right, then start again. {_HALTED}"
        )


_HALTED = "Nothing was consumed"
_NO_REGISTRY = f"Kafka holds no registry: run sixgate publish. {_HALTED}"
_LOOK = f"look at who writes to Kafka and who runs it. {_HALTED}"


def _later(found: SignedHead, known: SignedHead, now_ms: int) -> bool:
    """Tell whether a head replaces another; one from the future gives way to any other."""
    return found.head.at_ms >= known.head.at_ms or known.head.at_ms > now_ms + HEAD_SKEW_MS_MAX


def _unregistered(registrar: str, registry: Registry) -> str:
    if not registry.sequence:
        return _NO_REGISTRY
    return (
        f"the registry does not name {registrar} as an active registrar with the key it has: run "
        f"sixgate services add {registrar}, then start again. Nothing was signed"
    )


def _nobody_says(registry: Registry) -> str:
    if not registry.sequence:
        return _NO_REGISTRY
    if any(role == "registrar" and one.active for (role, _), one in registry.services.items()):
        return f"no registrar has signed a head of the registry: start sixgate registrar. {_HALTED}"
    return (
        "no registrar is registered, so nobody says how far the registry goes: run sixgate "
        f"services add registrar-0, then start sixgate registrar. {_HALTED}"
    )
