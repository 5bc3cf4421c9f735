"""The calls of ``sixgate desk``: those of the ``Api`` that append records, with unsigned ones."""

from typing import Final, Protocol

from sixgate.api import Json
from sixgate.remote_calls.call_table import Call, CallTable


class DeskCalls(Protocol):
    """What a desk does for its clients."""

    def register(self, envelope: str) -> Json:
        """Sign a registry record, append it and wait for it; see ``Api.register``."""
        ...

    def order_key(self, record: str) -> Json:
        """Sign a key order, append it and wait for the answer; see ``Api.order_key``."""
        ...

    def order_vault(self, record: str) -> Json:
        """Sign a vault order, append it and wait for the answer; see ``Api.order_vault``."""
        ...


DESK_CALLS: Final = CallTable[DeskCalls](
    Call(DeskCalls.register, "POST", "/v1/desk/registry"),
    Call(DeskCalls.order_key, "POST", "/v1/desk/key-orders"),
    Call(DeskCalls.order_vault, "POST", "/v1/desk/vault-orders"),
)
CODES: Final = frozenset(
    {
        "registry_refused",
        "key_refused",
        "vault_refused",
        "request_malformed",
        "connection_lost",
        "halted",
        "denied",
        "topic_missing",
    }
)
"""The errors of a desk that its clients pass on."""
