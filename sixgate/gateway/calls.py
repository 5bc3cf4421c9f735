"""Makes the events of ``api.calls``: records of calls of the HTTP API, signed by the gateway."""

import json
from collections.abc import Callable, Mapping

from schemas.canonical import event_id
from schemas.fields import TEXT_MAX
from schemas.ledger.api_call import ApiCall
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer

RESOURCE_LENGTH_MAX = 512


class Calls:
    """Makes the records of one gateway's calls; its user appends them."""

    def __init__(
        self,
        key: Ed25519Signer,
        org: str,
        now_ms: Callable[[], int],
        random_hex: Callable[[int], str],
    ) -> None:
        self._key, self._org = key, org
        self._now_ms, self._random_hex = now_ms, random_hex

    def event(
        self,
        actor: str,
        client_ip: str,
        action: str,
        resource: str,
        details: Mapping[str, object] | None = None,
    ) -> Outgoing:
        """Return the record of a call, to append alone or together with other events."""
        call = ApiCall(
            id=event_id("api.call", f"{self._key.keyid}/{self._random_hex(16)}"),
            org=self._org,
            gateway=self._key.keyid,
            actor=actor,
            action=action,
            resource=resource[:RESOURCE_LENGTH_MAX],
            client_address=client_ip,
            at_ms=self._now_ms(),
            detail=json.dumps(details, sort_keys=True)[:TEXT_MAX] if details else "",
        )
        return Outgoing(Topic.API_CALLS, "", self._key.sign_event(call))
