"""Client of ``sixgate custody``, with a timeout for each whole call."""

import base64

from sixgate.api import ApiError, Json, bytes_of
from sixgate.config.internal_servers import CustodyAddress
from sixgate.custody.serving import CUSTODY_CALLS
from sixgate.remote_calls.bounded_link import BoundedLink
from sixgate.remote_calls.link import NoResponseError
from sixgate.remote_calls.proxy import UnexpectedAnswerError, remote

ANSWER_BYTES_MAX = 16 * 1024 * 1024
CODES = frozenset(
    {"read_refused", "access_refused", "secret_unknown", "custody_failed", "custody_unavailable"}
)
"""Codes of custody's refusals; another server's answers may have any code."""


class CustodyLink:
    """The calls of the ``Api`` that custody answers; thread-safe, without retries."""

    def __init__(self, address: CustodyAddress) -> None:
        """Connect on first use; raises ``SettingsError`` for invalid certificates."""
        self._url = address.url
        self._link = BoundedLink(address, ANSWER_BYTES_MAX)
        self._calls = remote(self._link, CUSTODY_CALLS, self._absent, CODES)

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        match self._calls.reading_key():
            case {"public_key": str(key)}:
                return {"public_key": key}
        raise self._another_server()

    def read_secret(self, request: str, client_address: str | None = None) -> Json:
        """See ``SecretReads.read_secret``."""
        bytes_of(request)
        match self._calls.read_secret(request, client_address):
            case {"box": str(box), "failed": [*failed]} if _is_base64(box):
                return {"box": box, "failed": [str(name) for name in failed]}
        raise self._another_server()

    def close(self) -> None:
        """End the connections."""
        self._link.close()

    def _absent(self, error: NoResponseError | UnexpectedAnswerError) -> ApiError:
        if isinstance(error, NoResponseError):
            return ApiError(
                "custody_absent",
                f"custody at {self._url} does not respond: check that sixgate custody runs, and "
                "that [custody_at] has its address and a certificate that it accepts",
            )
        if error.succeeded:
            return self._another_server()
        return ApiError(
            "custody_absent",
            f"custody at {self._url} rejected the request (HTTP {error.status}): see its log, and "
            "check that clients in its [custody] has this certificate",
        )

    def _another_server(self) -> ApiError:
        return ApiError(
            "custody_absent",
            f"the server at {self._url} is not sixgate custody: fix the address in [custody_at]",
        )


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
