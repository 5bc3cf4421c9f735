"""HTTP application of a release: nonces and answers.

``POST /v1/nonces`` returns a nonce. ``POST /v1/releases`` returns the signed answer to a request, a
grant or a refusal, with status 200: only its signature proves it. Other errors are problem details
(RFC 9457).
"""

from collections.abc import Callable
from http import HTTPStatus

from schemas.canonical import canonical_bytes
from signer.attestation.release.judge.service import ReleaseService
from signer.attestation.release.request import NONCES, RELEASES
from sixgate.api.exchange import Receive, Scope, Send
from sixgate.api.limits import INTERNAL
from sixgate.api.refusal import Refusal
from sixgate.remote_calls.replies import body_of, in_thread, send_json, send_refusal

_NOT_FOUND = Refusal(HTTPStatus.NOT_FOUND, "route_unknown", "There is no such route.")
_NOT_POST = Refusal(
    HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", "The route only allows POST."
)


class ReleaseApp:
    """Serves one ``ReleaseService``.

    An exception of the service goes to ``failed``: the fate of the decision's record is then
    unknown, and the process must end.
    """

    def __init__(self, service: ReleaseService, failed: Callable[[BaseException], None]) -> None:
        self._service = service
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # the server starts and stops
            return
        if scope["path"] not in (NONCES, RELEASES):
            await send_refusal(send, _NOT_FOUND)
        elif scope["method"] != "POST":
            await send_refusal(send, _NOT_POST)
        elif (body := await body_of(receive)) is not None:
            work = self._nonce if scope["path"] == NONCES else lambda: self._service.answer(body)
            await self._answer(work, send)

    async def _answer(self, work: Callable[[], bytes], send: Send) -> None:
        try:
            answer = await in_thread(work)
        except Exception as error:  # noqa: BLE001 - any failure must end the process
            self._failed(error)
            await send_refusal(send, INTERNAL)
        else:
            await send_json(send, answer)

    def _nonce(self) -> bytes:
        return canonical_bytes({"nonce": f"0x{self._service.nonce().hex()}"})
