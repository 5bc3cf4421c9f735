"""Evidence for customers: one request at a time, rate-limited, only the nonce is theirs."""

import threading
from collections.abc import Callable

from signer.attestation.attestor import Attestor
from signer.attestation.device.platform import CollectionError, PlatformBusyError
from signer.attestation.verify.binding import NONCE_BYTES_MAX, NONCE_BYTES_MIN
from sixgate.api_error import ApiError, Json

PATH = "/v1/attestation"
# A report occupies the firmware, for which other guests of the machine wait too. go-sev-guest uses
# the same rate limit.
PAUSE_MS_MIN = 2_000


class EvidenceService:
    """Requests evidence from an attestor for one customer at a time. Thread-safe.

    ``now_ms`` is a clock in milliseconds with any origin.
    """

    def __init__(self, attestor: Attestor, now_ms: Callable[[], int]) -> None:
        self._attestor = attestor
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._next_at_ms = now_ms()

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        nonce_bytes = _parse_nonce(nonce)
        if not self._lock.acquire(blocking=False):
            raise _busy("another report is being made")
        try:
            if self._now_ms() < self._next_at_ms:
                raise _busy(f"there is one report in {PAUSE_MS_MIN / 1000:g} s")
            try:
                return self._evidence(nonce_bytes)
            finally:
                self._next_at_ms = self._now_ms() + PAUSE_MS_MIN
        finally:
            self._lock.release()

    def _evidence(self, nonce: bytes) -> Json:
        try:
            file = self._attestor.evidence(nonce)
        except PlatformBusyError as error:
            raise _busy(str(error)) from None
        except CollectionError as error:
            raise ApiError("attestation_failed", f"the platform gave no report: {error}") from None
        if file is None:
            raise _busy("the signer has not started yet")
        return file.plain()


def _parse_nonce(text: str) -> bytes:
    """Parse a nonce in hex: the only part of REPORT_DATA that a customer chooses."""
    digits = text.removeprefix("0x")
    sizes = range(2 * NONCE_BYTES_MIN, 2 * NONCE_BYTES_MAX + 1, 2)
    if len(digits) not in sizes or not set(digits.lower()) <= set("0123456789abcdef"):
        message = f"the nonce must be {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes in hex"
        raise ApiError("nonce_malformed", message)
    return bytes.fromhex(digits)


def _busy(why: str) -> ApiError:
    return ApiError("attestation_busy", f"{why}: retry in a moment")
