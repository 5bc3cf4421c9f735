"""``RootKms`` on top of a release: a root key that only an attested signer can use.

The signer has no KMS credentials. Each wrap and unwrap of custody is one exchange with its own
nonce and report.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from schemas.canonical import MalformedError
from schemas.keys.release import Context, ReleaseReason, decode_context
from signer.attestation.device.platform import CollectionError
from signer.attestation.release.client.exchange import (
    Exchange,
    KmsRequest,
    ReleaseDeniedError,
    Requester,
    UntrustedAnswerError,
    UnwrapRequest,
    WrapRequest,
)
from signer.attestation.release.policy import ReleaseHolder
from signer.attestation.verify.binding import NONCE_BYTES_MAX, NONCE_BYTES_MIN, Binding
from signer.attestation.verify.errors import AttestationError
from signer.attestation.verify.evidence import Evidence
from signer.custody.buffers import RandomBytes, wipe
from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX, require_wrappable, require_wrapped

# Unavailable: a retry with another nonce, or later, may succeed. Unlisted reasons are denials.
_ERRORS: dict[ReleaseReason, type[CustodyError]] = {
    ReleaseReason.NONCE_UNKNOWN: KmsUnavailableError,
    ReleaseReason.NONCE_EXPIRED: KmsUnavailableError,
    ReleaseReason.NONCES_EXHAUSTED: KmsUnavailableError,
    ReleaseReason.KMS_UNAVAILABLE: KmsUnavailableError,
    ReleaseReason.INTERNAL_ERROR: KmsUnavailableError,
    ReleaseReason.KMS_KEY_DISABLED: KmsKeyDisabledError,
    ReleaseReason.KMS_KEY_NOT_FOUND: KmsKeyNotFoundError,
    ReleaseReason.KMS_CORRUPT: CorruptError,
}

Attest = Callable[[Binding], Evidence]
"""Requests a report with a binding from the platform; adds certificates and revocation list.

Thread-safe; raises ``CollectionError``."""


class ReleaseUnreachableError(AttestationError):
    """The release did not answer in time."""


class Transport(Protocol):
    """Connection to one release; each call has a timeout and is never retried."""

    def nonce(self) -> bytes:
        """Request a nonce; raise ``ReleaseUnreachableError``."""
        ...

    def send(self, request: bytes) -> bytes:
        """Send a request and return the answer; raise ``ReleaseUnreachableError``."""
        ...


class ReleasedKms:
    """A ``RootKms`` behind a release; ``read_token`` returns the workload's current token."""

    def __init__(
        self,
        holder: ReleaseHolder,
        requester: Requester,
        transport: Transport,
        attest: Attest,
        read_token: Callable[[], bytes | bytearray],
        random_bytes: RandomBytes,
    ) -> None:
        self._holder = holder
        self._requester = requester
        self._transport = transport
        self._attest = attest
        self._read_token = read_token
        self._random_bytes = random_bytes

    @property
    def key_id(self) -> str:
        """The root key's name in the policy."""
        return self._holder.kms_key

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as specified by ``RootKms``; the plaintext is sealed to the release."""
        require_wrappable(plaintext)
        blob = bytes(self._call(WrapRequest(plaintext, _decoded(context))))
        require_wrapped(blob)
        return blob

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as specified by ``RootKms``; the result is sealed to the ephemeral key."""
        require_wrapped(wrapped)
        content = self._call(UnwrapRequest(wrapped, _decoded(context)))
        if not 0 < len(content) <= PLAINTEXT_BYTES_MAX:
            wipe(content)
            raise CorruptError(f"A release returned no key of 1 to {PLAINTEXT_BYTES_MAX} bytes.")
        return content

    def _call(self, operation: KmsRequest) -> bytearray:
        name = self._holder.provider
        try:
            return self._exchange(operation)
        except ReleaseUnreachableError:
            raise KmsUnavailableError(f"The release of {name} did not answer in time.") from None
        except CollectionError:
            message = f"The platform gave no report for the release of {name}: check its device."
            raise KmsUnavailableError(message) from None
        except ReleaseDeniedError as denied:
            raise _ERRORS.get(denied.reason, KmsDeniedError)(str(denied)) from None
        except UntrustedAnswerError as error:
            raise CorruptError(str(error)) from None

    def _exchange(self, operation: KmsRequest) -> bytearray:
        nonce = self._transport.nonce()
        if not NONCE_BYTES_MIN <= len(nonce) <= NONCE_BYTES_MAX:
            raise ReleaseUnreachableError
        token = bytearray(self._read_token())
        try:
            exchange = Exchange(
                self._holder, self._requester, nonce, (operation,), token, self._random_bytes
            )
        finally:
            wipe(token)
        with exchange:
            request = exchange.request(self._attest(exchange.binding))
            (result,) = exchange.open(self._transport.send(request))
            return result

    def __repr__(self) -> str:
        return f"<ReleasedKms {self._holder.kms_key} by the release of {self._holder.provider}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A ReleasedKms cannot be copied or pickled: it holds a secret key.")


def _decoded(context: bytes) -> Context:
    try:
        return decode_context(context)
    except MalformedError:
        raise KmsDeniedError(
            "A release wraps and unwraps only vault keys, shares and identities."
        ) from None
