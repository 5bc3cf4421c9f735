"""The calls that ``sixgate custody`` answers: those of the operator API that open secrets."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from signer.secrets.secret_service import SecretService
from sixgate.api import ApiError, Json, bytes_of
from sixgate.api.client_address import LOCAL_SOCKET, UNKNOWN
from sixgate.api.errors import reporting
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.custody.reading import ReadEnvironment, read, reading_key
from sixgate.remote_calls.call_table import Call, CallTable
from sixgate.remote_calls.calls_app import CallsApp
from sixgate.remote_calls.replies import Caller

REQUEST_BYTES_MAX = 24 * 1024  # of a request in base64
ADDRESS_LENGTH_MAX = 64  # as in access records


@dataclass(frozen=True, slots=True)
class SecretReads:
    """Answers one caller; the records name its address, or the one that a gateway names."""

    environment: ReadEnvironment
    service: SecretService
    address: str
    is_gateway: bool

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return reading_key(self.service)

    def read_secret(self, request: str, client_address: str | None = None) -> Json:
        """See ``Api.read_secret``. A gateway adds the address of its own client."""
        address = self.address
        if self.is_gateway and client_address is not None:
            address = _checked_address(client_address)
        return read(self.environment, self.service, bytes_of(request), address)


CUSTODY_CALLS: Final = CallTable[SecretReads](
    OPERATOR_CALLS.by_name["reading_key"],
    Call(SecretReads.read_secret, "POST", OPERATOR_CALLS.by_name["read_secret"].path),
)


def _checked_address(text: str) -> str:
    """Return an address that an access record can hold; raise ``request_malformed``."""
    if text not in (LOCAL_SOCKET, UNKNOWN):
        try:
            ip_address(text)
        except ValueError:
            text = ""
    # An IPv6 address may end with a zone, which is any text.
    if not text or not text.isascii() or len(text) > ADDRESS_LENGTH_MAX:
        raise ApiError("request_malformed", "client_address is not an IP address")
    return text


def custody_app(
    environment: ReadEnvironment,
    service: SecretService,
    failed: Callable[[BaseException], None],
    gateways: Collection[str] = (),
) -> CallsApp[SecretReads]:
    """Return the ASGI application; ``gateways`` are names in the certificates of gateways.

    Any error but ``ApiError`` is passed to ``failed``: the outcome of the audit record is then
    unknown, and the process must end.
    """

    def reads(caller: Caller) -> SecretReads:
        is_gateway = caller.certificate_name in gateways
        return SecretReads(environment, service, caller.address, is_gateway)

    return CallsApp(CUSTODY_CALLS, reads, reporting(failed))
