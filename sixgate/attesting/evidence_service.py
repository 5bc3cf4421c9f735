"""Where customers ask a signer for evidence: few at a time, and never with bytes of their own."""

import threading
from collections.abc import Callable

from signer.attestation.attestor import Attestor
from signer.attestation.binding import NONCE_BYTES_MAX, NONCE_BYTES_MIN
from signer.attestation.platform import CollectionError, PlatformBusyError
from sixgate.api import ApiError, Json

# A report is work for the firmware, which other guests of the machine wait for too; go-sev-guest
# leaves as much time between two.
PAUSE_MS_MIN = 2_000


class EvidenceService:
    """Asks an attestor for one customer at a time; any thread may call.

    ``now_ms`` counts milliseconds from any fixed moment.
    """

    def __init__(self, attestor: Attestor, now_ms: Callable[[], int]) -> None:
        self._attestor = attestor
        self._now_ms = now_ms
        self._turn = threading.Lock()
        self._free_at_ms = now_ms()

    def attestation(self, nonce: str) -> Json:
        """See ``Api.attestation``."""
        asked = _nonce(nonce)
        if not self._turn.acquire(blocking=False):
            raise _busy("another report is on its way")
        try:
            if self._now_ms() < self._free_at_ms:
                raise _busy(f"there is one report in {PAUSE_MS_MIN / 1000:g} s")
            try:
                return self._evidence(asked)
            finally:
                self._free_at_ms = self._now_ms() + PAUSE_MS_MIN
        finally:
            self._turn.release()

    def _evidence(self, nonce: bytes) -> Json:
        try:
            file = self._attestor.evidence(nonce)
        except PlatformBusyError as error:
            raise _busy(str(error)) from None
        except CollectionError as error:
            raise ApiError("attestation_failed", f"no report could be had: {error}") from None
        if file is None:
            raise _busy("the signer has not started yet")
        return file.plain()


def _nonce(text: str) -> bytes:
    """Read a nonce in hex; all else of a report's data is the signer's own to say."""
    digits = text.removeprefix("0x")
    sizes = range(2 * NONCE_BYTES_MIN, 2 * NONCE_BYTES_MAX + 1, 2)
    if len(digits) not in sizes or not set(digits.lower()) <= set("0123456789abcdef"):
        told = f"a nonce is {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes in hex"
        raise ApiError("nonce_malformed", told)
    return bytes.fromhex(digits)


def _busy(why: str) -> ApiError:
    return ApiError("attestation_busy", f"{why}: ask again in a moment")
