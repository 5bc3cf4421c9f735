"""The calls that ``sixgate custody`` answers: those of the operator API that open secrets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from signer.vaults.secret_service import SecretService
from sixgate.api import ApiError, Json, bytes_of
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.custody.reading import ReadEnvironment, read, reading_key
from sixgate.remote_calls.call_table import CallTable
from sixgate.remote_calls.calls_app import CallsApp
from sixgate.remote_calls.replies import Caller

REQUEST_BYTES_MAX = 24 * 1024  # of a request in base64


class CustodyApi(Protocol):
    """The part of ``Api`` that custody serves."""

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        ...

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        ...


CUSTODY_CALLS: Final = CallTable[CustodyApi](
    OPERATOR_CALLS.by_name["reading_key"], OPERATOR_CALLS.by_name["read_secret"]
)


@dataclass(frozen=True, slots=True)
class SecretReads:
    """Answers one caller; the records name its address."""

    environment: ReadEnvironment
    service: SecretService
    client_address: str

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        return reading_key(self.service)

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        return read(self.environment, self.service, bytes_of(request), self.client_address)


def custody_app(
    environment: ReadEnvironment, service: SecretService, failed: Callable[[BaseException], None]
) -> CallsApp[CustodyApi]:
    """Return the ASGI application.

    Any error but ``ApiError`` is passed to ``failed``: the outcome of the audit record is then
    unknown, and the process must end.
    """

    def reads(caller: Caller) -> CustodyApi:
        return SecretReads(environment, service, caller.address)

    def error_of(error: Exception) -> ApiError:
        if isinstance(error, ApiError):
            return error
        failed(error)
        return ApiError("internal", "custody failed and ends: its log has the reason")

    return CallsApp(CUSTODY_CALLS, reads, error_of)
