"""HTTP client of ``sixgate custody``, with a timeout for each whole call."""

import base64
from http import HTTPStatus
from typing import Any, NoReturn

import orjson

from sixgate.api import ApiError, Json, bytes_of
from sixgate.custody.serving import READING_KEY, READS, STATUS
from sixgate.https.client import Answer, BoundedLink, NoResponseError
from sixgate.https.tls import client_context
from sixgate.settings.custody import CustodyAddress

ANSWER_BYTES_MAX = 16 * 1024 * 1024
DETAIL_LENGTH_MAX = 2_000


class CustodyLink:
    """The calls of the ``Api`` that custody answers; thread-safe, without retries."""

    def __init__(self, address: CustodyAddress) -> None:
        """Connect on first use; raises ``SettingsError`` for invalid certificates."""
        self._url = address.url
        self._link = BoundedLink(
            address.url,
            client_context(address.tls, "custody") if address.tls else None,
            call_s_max=address.call_ms_max / 1000,
            answer_bytes_max=ANSWER_BYTES_MAX,
        )

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        match self._post(READING_KEY, b""):
            case {"public_key": str(key)}:
                return {"public_key": key}
        raise self._unexpected_answer()

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        match self._post(READS, bytes_of(request)):
            case {"box": str(box), "failed": [*failed]} if _is_base64(box):
                return {"box": box, "failed": [str(name) for name in failed]}
        raise self._unexpected_answer()

    def close(self) -> None:
        """End the connections."""
        self._link.close()

    def _post(self, path: str, body: bytes) -> Any:
        try:
            answer = self._link.post(path, body)
        except NoResponseError:
            raise ApiError(
                "custody_absent",
                f"custody at {self._url} does not respond: check that sixgate custody runs, and "
                "that [custody_at] has its address and a certificate that it accepts",
            ) from None
        found = _decode(answer)
        if answer.status != HTTPStatus.OK:
            self._raise_refusal(answer.status, found)
        return found

    def _raise_refusal(self, status: int, found: Any) -> NoReturn:
        """Raise the error in custody's answer; another server's answer may have any content."""
        match found:
            case {"code": str(code), "detail": str(detail)} if code in STATUS:
                raise ApiError(code, detail[:DETAIL_LENGTH_MAX])
        raise ApiError(
            "custody_absent",
            f"custody at {self._url} rejected the request (HTTP {status}): see its log, and check "
            "that clients in its [custody] has this certificate",
        )

    def _unexpected_answer(self) -> ApiError:
        return ApiError(
            "custody_absent",
            f"the server at {self._url} is not sixgate custody: fix the address in [custody_at]",
        )


def _decode(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
