"""Check of a KMS: the key's state and protection level, and one wrap-unwrap round trip."""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from schemas.canonical import canonical_bytes
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.errors import CorruptError, CustodyError, KmsKeyDisabledError
from signer.custody.kms.hsm_guard import require_hsm
from signer.custody.kms.port import KeyState, KeyStatus, ProviderKms
from sixgate.kms.factory import Open

T = TypeVar("T")

PROBE_BYTES = 32
CONTEXT = canonical_bytes({"type": "kms.check", "v": 1})


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Durations of the calls of a round trip, in milliseconds."""

    wrap_ms: float
    unwrap_ms: float


@dataclass(slots=True)
class Finding:
    """The results of checking one KMS, up to its ``failure``."""

    provider: str
    key_id: str = ""
    status: KeyStatus | None = None
    round_trip: RoundTrip | None = None
    failure: CustodyError | None = None


def check_kms(
    provider: str, open_kms: Open, random_bytes: RandomBytes, *, hsm_required: bool
) -> Finding:
    """Check one KMS; a failure is part of the finding. Raises ``SettingsError``."""
    found = Finding(provider)
    try:
        kms = open_kms()
        found.key_id = kms.key_id
        found.status = kms.check()
        _require_usable(kms.key_id, found.status)
        found.round_trip = _round_trip(kms, random_bytes)
        if hsm_required:
            require_hsm(kms.key_id, found.status)
    except CustodyError as error:
        found.failure = error
    return found


def _require_usable(key_id: str, status: KeyStatus) -> None:
    if status.state is not KeyState.ENABLED:
        raise KmsKeyDisabledError(
            f"{key_id} is {status.state}; nothing under it opens until it is enabled."
        )


def _round_trip(kms: ProviderKms, random_bytes: RandomBytes) -> RoundTrip:
    with wiping(draw(random_bytes, PROBE_BYTES)) as probe:
        wrapped, wrap_ms = _timed(lambda: kms.wrap(probe, CONTEXT))
        unwrapped, unwrap_ms = _timed(lambda: kms.unwrap(wrapped, CONTEXT))
        with wiping(unwrapped):
            if not hmac.compare_digest(probe, unwrapped):
                raise CorruptError(
                    f"{kms.key_id} unwrapped to other bytes than it wrapped: do not use this key."
                )
    return RoundTrip(wrap_ms, unwrap_ms)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    began_s = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - began_s) * 1000
