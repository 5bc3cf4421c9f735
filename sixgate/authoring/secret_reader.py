"""Reads secrets as an agent: signs a request and opens the answer that is sealed to it."""

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.canonical import MalformedError
from schemas.dsse import READ_REQUEST_TYPE
from schemas.fields import Name, Ordinal, SecretPath, VaultName
from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from schemas.keys.secret_requests import (
    ReadOperation,
    SecretAnswer,
    SecretRequest,
    SecretVersion,
    answer_context,
    secret_request_digest,
)
from signer.custody.buffers import wiping
from signer.custody.errors import CorruptError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey, seal_for
from sixgate.api import ApiError, Json

NONCE_BYTES = 16


class Custody(Protocol):
    """A service that reads secrets: an ``Api``, or a connection to ``sixgate custody``."""

    def reading_key(self) -> Json:
        """See ``Api.reading_key``."""
        ...

    def read_secret(self, request: str) -> Json:
        """See ``Api.read_secret``."""
        ...


@dataclass(frozen=True, slots=True)
class SecretReader:
    """An agent's session: the service, the organisation, the account, the agent's key, the clock.

    ``on_failed_providers`` receives the providers that failed although the others sufficed. A
    gateway that signs for an agent with its own key names the ``agent``.
    """

    api: Custody
    org: Name
    account: Name
    key: Ed25519Signer
    clock_ms: Callable[[], int]
    on_failed_providers: Callable[[Sequence[str]], None] = lambda _: None
    agent: Name | None = None

    @property
    def reader(self) -> str:
        """The agent that reads."""
        return self.agent or self.key.keyid

    def ask(
        self,
        operation: ReadOperation,
        vault: VaultName,
        path: SecretPath | None = None,
        version: Ordinal | None = None,
        share: ClientShare | None = None,
    ) -> tuple[SecretVersion, ...]:
        """Request secrets and return them; raise ``ApiError``, also for an invalid answer."""
        reply = HpkeKey.generate(secrets.token_bytes)
        request = SecretRequest(
            org=self.org,
            account=self.account,
            agent=self.reader,
            operation=operation,
            vault=vault,
            path=path,
            version=version,
            reply_to=f"0x{reply.public_key.hex()}",
            client_share=share,
            nonce=f"0x{secrets.token_hex(NONCE_BYTES)}",
            requested_at_ms=self.clock_ms(),
        )
        sealed = self.key.sign_envelope(READ_REQUEST_TYPE, request.encode())
        answer = self.api.read_secret(base64.b64encode(sealed.encode()).decode())
        opened = _opened(
            reply, secret_request_digest(sealed.body()), base64.b64decode(answer["box"])
        )
        if answer["failed"]:
            self.on_failed_providers(answer["failed"])
        return opened

    def share_of(
        self, vault: VaultName, path: SecretPath, version: Ordinal, share: bytes | bytearray
    ) -> ClientShare:
        """Seal a client share to the running custody process; the caller wipes ``share``."""
        context = ClientShareContext(
            org=self.org, account=self.account, vault=vault, path=path, version=version
        )
        key = str(self.api.reading_key()["public_key"])
        box = seal_for(key, share, context.to_signer(self.reader))
        return ClientShare(key_version=version, share_key=key, box=f"0x{box.hex()}")


def _opened(reply: HpkeKey, request: str, box: bytes) -> tuple[SecretVersion, ...]:
    try:
        with wiping(reply.open(box, answer_context(request))) as body:
            answer = SecretAnswer.decode(bytes(body))
    except (CorruptError, MalformedError):
        raise ApiError("internal", "custody's answer does not match this request: retry") from None
    if answer.request != request:
        raise ApiError("internal", "custody's answer belongs to another request: retry")
    return answer.secrets
