"""Connection of a signer to one provider's release over HTTP; each call has a total timeout."""

from http import HTTPStatus

from schemas.strict_json import read_json
from signer.attestation.release.client.kms import ReleaseUnreachableError
from signer.attestation.release.request import NONCES, RELEASES
from signer.attestation.verify.binding import NONCE_BYTES_MAX
from sixgate.config.releases import ReleaseAddress
from sixgate.remote_calls.bounded_link import BoundedLink
from sixgate.remote_calls.link import NoResponseError

ANSWER_BYTES_MAX = 512 * 1024


class ReleaseLink:
    """A ``Transport`` that never retries. Thread-safe."""

    def __init__(self, address: ReleaseAddress) -> None:
        """Load certificates; opens no connection yet. Raises ``SettingsError``."""
        self._link = BoundedLink(address, ANSWER_BYTES_MAX)

    def nonce(self) -> bytes:
        """Request a nonce; raise ``ReleaseUnreachableError``."""
        return _nonce_in(self._post(NONCES, b""))

    def send(self, request: bytes) -> bytes:
        """Send a request and return the answer; raise ``ReleaseUnreachableError``."""
        return self._post(RELEASES, request)

    def close(self) -> None:
        """Close connections and thread; later calls raise ``ReleaseUnreachableError``."""
        self._link.close()

    def _post(self, path: str, body: bytes) -> bytes:
        try:
            answer = self._link.ask("POST", path, body)
        except NoResponseError:
            raise ReleaseUnreachableError from None
        if answer.status != HTTPStatus.OK:
            raise ReleaseUnreachableError
        return answer.body


def _nonce_in(body: bytes) -> bytes:
    try:
        nonce = bytes.fromhex(read_json(body)["nonce"].removeprefix("0x"))
    except (ValueError, KeyError, TypeError, AttributeError):  # malformed JSON is a ValueError
        raise ReleaseUnreachableError from None
    if len(nonce) > NONCE_BYTES_MAX:
        raise ReleaseUnreachableError
    return nonce
