"""The operators' ``Api`` of a gateway: reads come from its own ports, records go to the desk."""

from sixgate.api import ApiError, Json
from sixgate.backends.operations import Operations
from sixgate.backends.ports import Backend
from sixgate.config.internal_servers import DeskAddress
from sixgate.desk.service import CODES, DESK_CALLS
from sixgate.remote_calls.bounded_link import BoundedLink
from sixgate.remote_calls.link import NoResponseError
from sixgate.remote_calls.proxy import UnexpectedAnswerError, remote

ANSWER_BYTES_MAX = 1024 * 1024


class DeskApi(Operations):
    """Sends records to a desk, which signs and appends them.

    After each of them the ports are read again, so that the caller reads what it changed.
    """

    def __init__(self, backend: Backend, address: DeskAddress) -> None:
        """Connect on first use; raises ``SettingsError`` for invalid certificates."""
        super().__init__(backend)
        self._link = BoundedLink(address, ANSWER_BYTES_MAX)

        def failed(error: NoResponseError | UnexpectedAnswerError) -> ApiError:
            return _failed(address.url, error)

        self._desk = remote(self._link, DESK_CALLS, failed, CODES)

    def register(self, envelope: str) -> Json:
        """See ``Api.register``."""
        return self._read_after(self._desk.register(envelope))

    def order_key(self, record: str) -> Json:
        """See ``Api.order_key``."""
        return self._read_after(self._desk.order_key(record))

    def order_vault(self, record: str) -> Json:
        """See ``Api.order_vault``."""
        return self._read_after(self._desk.order_vault(record))

    def close(self) -> None:
        """End the connections."""
        self._link.close()

    def _read_after(self, answer: Json) -> Json:
        self.backend.read.refresh()
        return answer


def _failed(url: str, error: NoResponseError | UnexpectedAnswerError) -> ApiError:
    if isinstance(error, UnexpectedAnswerError):
        return ApiError(
            "desk_absent",
            f"the desk at {url} rejected the request (HTTP {error.status}): see its log, and check "
            "that clients in its [desk] has the name of this certificate",
        )
    return ApiError(
        "connection_lost",
        f"the desk at {url} does not respond, so the change may still take effect: check that "
        "sixgate desk runs, and that [desk_at] has its address and a certificate that it accepts",
    )
