"""Service of ``sixgate desk``: checks, signs and appends the records of one client.

The desk appends what it signs, and returns no signature: a signature that the registry would refuse
never leaves it, a client cannot keep one back for later, and no client needs the right to write
registry or orders on Kafka. What the key may sign is decided in one place: the scope that the
registry has for it, with the same code as in the signer.

1. Refuse a record that is malformed, already signed, of another kind, or not of this moment.
2. Sign it.
3. Check it as the registry and the signer do; a refused record ends here.
4. Append it, and wait until it is in force. *If the process ends here, the record may take effect;
   the registry and ``keys.requests`` have it then, signed by this desk.*
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE, VAULT_ORDER_TYPE
from schemas.fields import TimeMs
from signer.custody.event_signing import Ed25519Signer
from sixgate.answers import snapshot
from sixgate.api import ApiError, Json, bytes_of
from sixgate.backends.orders import check_key_order, check_vault_order
from sixgate.backends.ports import Administer
from sixgate.desk.unsigned import read_unsigned
from sixgate.remote_calls.call_table import Call, CallTable

CLOCKS_MS_MAX = 5 * 60 * 1000
_LOG = logging.getLogger("sixgate.desk")


@dataclass(frozen=True, slots=True)
class DeskService:
    """The calls of ``DESK_CALLS`` for one client: those of the ``Api`` that append records."""

    administer: Administer
    key: Ed25519Signer
    now_ms: Callable[[], int]
    client: str

    def register(self, envelope: str) -> Json:
        """Sign a registry record and append it; see ``Api.register``."""
        append = self.administer.register
        return {"sequence": self._done(envelope, REGISTRY_TYPE, append)}

    def order_key(self, record: str) -> Json:
        """Sign a key order and append it; see ``Api.order_key``."""
        execute = self.administer.execute
        key = self._done(record, KEY_REQUEST_TYPE, lambda raw: execute(raw, check_key_order))
        return snapshot.key_answer(key)

    def order_vault(self, record: str) -> Json:
        """Sign a vault order and append it; see ``Api.order_vault``."""
        execute = self.administer.execute
        found: Json = self._done(
            record, VAULT_ORDER_TYPE, lambda raw: execute(raw, check_vault_order)
        )
        return found

    def _done(self, record: str, payload_type: str, append: Callable[[bytes], Any]) -> Any:
        # 1.
        unsigned = read_unsigned(bytes_of(record), payload_type)
        self._check_time(unsigned.at_ms)
        # 2.
        raw = unsigned.signed(self.key)
        digest = f"0x{hashlib.sha256(raw).hexdigest()}"
        facts = {"client": self.client, "kind": unsigned.kind, "record": digest}
        try:
            # 3. and 4. The result is unknown if the process ends after this line.
            answer = append(raw)
        except ApiError as error:
            _LOG.warning("desk.refused", extra=facts | {"code": error.code, "detail": str(error)})
            raise
        _LOG.info("desk.signed", extra=facts)
        return answer

    def _check_time(self, at_ms: TimeMs) -> None:
        """Refuse a record of another time: its own time is what readers of the registry see."""
        if abs(at_ms - self.now_ms()) > CLOCKS_MS_MAX:
            raise ApiError(
                "request_malformed",
                "the record was not made within 5 minutes of the desk's clock: check both clocks",
            )


DESK_CALLS: Final = CallTable[DeskService](
    Call(DeskService.register, "POST", "/v1/desk/registry"),
    Call(DeskService.order_key, "POST", "/v1/desk/key-orders"),
    Call(DeskService.order_vault, "POST", "/v1/desk/vault-orders"),
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
