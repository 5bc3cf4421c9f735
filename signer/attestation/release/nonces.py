"""Nonces of a release: each is made once, is young for a short time, and counts once.

A nonce is its time, 16 random bytes, and an HMAC over both under a secret that lives as long as
the process. So making one leaves nothing behind that anybody could fill up, none outlives a
restart, and only nonces that came back under a genuine report are remembered, until they expire.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from schemas.release import ReleaseReason

SECRET_BYTES = 32
RANDOM_BYTES = 16
_TIME_BYTES = 8
_MADE_BYTES = _TIME_BYTES + RANDOM_BYTES
_TAG = b"sixgate/release-nonce/v1\x00"


class NonceRefusedError(Exception):
    """A nonce that does not count."""

    def __init__(self, reason: ReleaseReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Nonces:
    """What a release knows of its nonces; every function returns the next state.

    ``secret`` is 32 bytes of randomness, new for each life of the process (``ValueError`` for
    another size). ``latest_ms`` is the latest time that was seen: a clock that goes back cannot
    make a nonce young again whose use was forgotten.
    """

    secret: bytes = field(repr=False)
    age_ms_max: int = 60_000
    used_max: int = 4096
    latest_ms: int = 0
    used: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"the secret of nonces is {SECRET_BYTES} bytes")

    def issue(self, random: bytes, now_ms: int) -> tuple["Nonces", bytes]:
        """Return a new nonce, made of 16 random bytes (``ValueError`` for another size)."""
        if len(random) != RANDOM_BYTES:
            raise ValueError(f"a nonce is made of {RANDOM_BYTES} random bytes")
        at_ms = max(now_ms, self.latest_ms)
        made = at_ms.to_bytes(_TIME_BYTES, "big") + random
        return replace(self, latest_ms=at_ms), made + self._mac(made)

    def check(self, nonce: bytes, now_ms: int) -> None:
        """Raise ``NonceRefusedError`` unless the nonce is ours, young and unused."""
        made, mac = nonce[:_MADE_BYTES], nonce[_MADE_BYTES:]
        if not hmac.compare_digest(mac, self._mac(made)):
            raise NonceRefusedError(ReleaseReason.NONCE_UNKNOWN)
        age_ms = max(now_ms, self.latest_ms) - _issued_ms(nonce)
        if not 0 <= age_ms <= self.age_ms_max:
            raise NonceRefusedError(ReleaseReason.NONCE_EXPIRED)
        if nonce in self.used:
            raise NonceRefusedError(ReleaseReason.NONCE_USED)

    def burn(self, nonce: bytes, now_ms: int) -> "Nonces":
        """Return the state in which the nonce is used; raise what ``check`` raises.

        Those that have expired are forgotten. Raise ``NonceRefusedError`` where too many are left.
        """
        self.check(nonce, now_ms)
        at_ms = max(now_ms, self.latest_ms)
        oldest_ms = at_ms - self.age_ms_max
        used = {one: issued for one, issued in self.used.items() if issued >= oldest_ms}
        if len(used) >= self.used_max:
            raise NonceRefusedError(ReleaseReason.NONCES_EXHAUSTED)
        used[nonce] = _issued_ms(nonce)
        return replace(self, latest_ms=at_ms, used=MappingProxyType(used))

    def _mac(self, made: bytes) -> bytes:
        return hmac.digest(self.secret, _TAG + made, hashlib.sha256)


def _issued_ms(nonce: bytes) -> int:
    return int.from_bytes(nonce[:_TIME_BYTES], "big")
