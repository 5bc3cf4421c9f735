"""Whether a KMS does what a vault needs of it: its key's state and level, and one round trip."""

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
    """How long the calls of a round trip took, in milliseconds."""

    wrap_ms: float
    unwrap_ms: float


@dataclass(slots=True)
class Finding:
    """What one KMS showed, as far as it went before its ``failure``."""

    provider: str
    key_id: str = ""
    status: KeyStatus | None = None
    took: RoundTrip | None = None
    failure: CustodyError | None = None


def check_kms(
    provider: str, open_kms: Open, random_bytes: RandomBytes, *, hsm_required: bool
) -> Finding:
    """Ask one KMS everything; what fails is in the finding. Raises ``SettingsError``."""
    found = Finding(provider)
    try:
        kms = open_kms()
        found.key_id = kms.key_id
        found.status = kms.check()
        _require_usable(kms.key_id, found.status)
        found.took = _round_trip(kms, random_bytes)
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
                    f"{kms.key_id} unwrapped to something else than it wrapped: use it for nothing."
                )
    return RoundTrip(wrap_ms, unwrap_ms)


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    began_s = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - began_s) * 1000
