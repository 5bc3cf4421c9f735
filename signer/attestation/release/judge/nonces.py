"""Nonces of a release: valid for a short time, for one use, in one process.

A nonce is its time, 16 random bytes, and an HMAC of both under a secret of the process. So issuing
one stores nothing that a flood of requests could exhaust, and no nonce outlives a restart. Only
nonces with a genuine report are remembered as used, until they expire.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from schemas.keys.release import ReleaseReason
from signer.attestation.verify.errors import AttestationError

SECRET_BYTES = 32
RANDOM_BYTES = 16
_TIME_BYTES = 8
_BODY_BYTES = _TIME_BYTES + RANDOM_BYTES
_TAG = b"sixgate/release-nonce/v1\x00"


class RequestRefusedError(AttestationError):
    """A request is refused: a reason, and the code of the failed check of evidence or token."""

    def __init__(self, reason: ReleaseReason, code: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class ReleaseNonces:
    """State of a release's nonces; immutable, each change returns the next state.

    ``secret`` is 32 random bytes, new for each process (``ValueError`` for another size).
    ``latest_ms`` is the latest time seen: a clock that goes back must not revive an expired nonce,
    whose use is forgotten.
    """

    secret: bytes = field(repr=False)
    age_ms_max: int = 60_000
    used_max: int = 4096
    latest_ms: int = 0
    used: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"the nonce secret must be {SECRET_BYTES} bytes")

    def issue(self, random: bytes, now_ms: int) -> tuple["ReleaseNonces", bytes]:
        """Make a nonce from 16 random bytes (``ValueError`` for another size)."""
        if len(random) != RANDOM_BYTES:
            raise ValueError(f"a nonce needs {RANDOM_BYTES} random bytes")
        at_ms = max(now_ms, self.latest_ms)
        body = at_ms.to_bytes(_TIME_BYTES, "big") + random
        return replace(self, latest_ms=at_ms), body + self._mac(body)

    def check(self, nonce: bytes, now_ms: int) -> None:
        """Raise ``RequestRefusedError`` unless the nonce is this process's, valid and unused."""
        body, mac = nonce[:_BODY_BYTES], nonce[_BODY_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)):
            raise RequestRefusedError(ReleaseReason.NONCE_UNKNOWN)
        age_ms = max(now_ms, self.latest_ms) - _issued_ms(nonce)
        if not 0 <= age_ms <= self.age_ms_max:
            raise RequestRefusedError(ReleaseReason.NONCE_EXPIRED)
        if nonce in self.used:
            raise RequestRefusedError(ReleaseReason.NONCE_USED)

    def burn(self, nonce: bytes, now_ms: int) -> "ReleaseNonces":
        """Mark the nonce used, after ``check``; forget expired ones.

        Raise ``RequestRefusedError`` as ``check`` does, and if ``used_max`` are used and not
        expired: forgetting one of them would allow its replay.
        """
        self.check(nonce, now_ms)
        at_ms = max(now_ms, self.latest_ms)
        oldest_ms = at_ms - self.age_ms_max
        used = {one: issued for one, issued in self.used.items() if issued >= oldest_ms}
        if len(used) >= self.used_max:
            raise RequestRefusedError(ReleaseReason.NONCES_EXHAUSTED)
        used[nonce] = _issued_ms(nonce)
        return replace(self, latest_ms=at_ms, used=MappingProxyType(used))

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self.secret, _TAG + body, hashlib.sha256)


def _issued_ms(nonce: bytes) -> int:
    return int.from_bytes(nonce[:_TIME_BYTES], "big")
