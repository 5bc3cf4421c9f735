"""How whoever reads secrets reaches the process that serves them; each call bounded as a whole."""

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
    """The questions of the ``Api`` that custody answers, from any thread; none is sent twice."""

    def __init__(self, address: CustodyAddress) -> None:
        """Open no connection yet; raises ``SettingsError`` for certificates that are none."""
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
        raise self._stranger()

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        match self._post(READS, bytes_of(request)):
            case {"box": str(box), "failed": [*failed]} if _is_base64(box):
                return {"box": box, "failed": [str(name) for name in failed]}
        raise self._stranger()

    def close(self) -> None:
        """End the connections."""
        self._link.close()

    def _post(self, path: str, body: bytes) -> Any:
        try:
            answer = self._link.post(path, body)
        except NoResponseError:
            raise ApiError(
                "custody_absent",
                f"custody at {self._url} gives no answer: see that sixgate custody runs, and that "
                "[custody_at] names it and a certificate that it lets in",
            ) from None
        found = _plain(answer)
        if answer.status != HTTPStatus.OK:
            self._refused(answer.status, found)
        return found

    def _refused(self, status: int, found: Any) -> NoReturn:
        """Raise what custody refused with; whatever answers may say anything."""
        match found:
            case {"code": str(code), "detail": str(detail)} if code in STATUS:
                raise ApiError(code, detail[:DETAIL_LENGTH_MAX])
        raise ApiError(
            "custody_absent",
            f"custody at {self._url} did not answer the request (HTTP {status}): see its log, and "
            "that its [custody] names this certificate among clients",
        )

    def _stranger(self) -> ApiError:
        return ApiError(
            "custody_absent", f"what answers at {self._url} is no custody: mend [custody_at]"
        )


def _plain(answer: Answer) -> Any:
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
