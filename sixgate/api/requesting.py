"""Requests to sign: their headers, the intent that each becomes, and the reply."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, Header, Request

from schemas.canonical import digest
from schemas.intents.intent import AnyIntent
from schemas.intents.intent_parts import ClientShare
from schemas.registry.records import AgentSet
from signer.custody.custody_modes import PLANS
from sixgate.api.models.submissions import TransactionRequest
from sixgate.api.models.transactions import TransactionReply
from sixgate.api.problems import Problem, invalid
from sixgate.api.services import Services
from sixgate.api.submission import Ended, Keyed
from sixgate.authoring.intent_form import IntentFormError
from sixgate.gateway.client_shares import sealed_share
from sixgate.gateway.intents import (
    Directory,
    KeyChoiceError,
    Origin,
    Target,
    created_at_ms,
    intent_of,
    target,
)
from sixgate.gateway.transaction_view import transaction_view

IDEMPOTENCY_KEY, CLIENT_SHARE = "Idempotency-Key", "X-Client-Share"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# The parameters ``_documented`` only describe the headers in the OpenAPI document: the framework
# would silently take one of several values.


async def _idempotency_key(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias=IDEMPOTENCY_KEY,
            description="1 to 255 printable ASCII characters, such as a UUID. Requests with the "
            "same key are one request.",
        ),
    ] = None,
) -> str | None:
    sent = request.headers.getlist(IDEMPOTENCY_KEY)
    if not sent:
        return None
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        raise invalid({IDEMPOTENCY_KEY: "must be one key of 1 to 255 printable ASCII characters"})
    return sent[0]


async def _no_idempotency_key(request: Request) -> None:
    if IDEMPOTENCY_KEY in request.headers:
        why = "is not supported by this route: sign transactions with POST …/transactions/sign"
        raise invalid({IDEMPOTENCY_KEY: why})


async def _client_share(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias=CLIENT_SHARE,
            description="The client's share of the key in base64, if its vault's mode has one.",
        ),
    ] = None,
) -> str | None:
    sent = request.headers.getlist(CLIENT_SHARE)
    if len(sent) > 1:
        raise invalid({CLIENT_SHARE: "must be given once"})
    return sent[0] if sent else None


IdempotencyKeyOf = Annotated[str | None, Depends(_idempotency_key)]
NoIdempotencyKey = Depends(_no_idempotency_key)
ClientShareOf = Annotated[str | None, Depends(_client_share)]


@dataclass(frozen=True, slots=True)
class Signing:
    """A checked request of an agent to sign, and the client's share that came with it."""

    services: Services
    agent: AgentSet
    request: TransactionRequest
    share: str | None

    def intent(self, key: str, mode: Literal["submit"] | None = None) -> AnyIntent:
        """Return the intent under an idempotency key; raise 400, 403 and 409 problems."""
        with form_problems():
            found = self.target()
            request = self.request.model_copy(update={"client_share": self._sealed_share(found)})
            origin = Origin(self.agent, key, self.services.now_ms(), mode)
            return intent_of(request, found, origin, self.services.org)

    def target(self) -> Target:
        """Return the chain and the key; raises what ``form_problems`` translates."""
        read = self.services.backend.read
        found = target(self.request, self.agent, Directory(read.registered, read.vaults))
        self._check_vault(found.key_path)
        return found

    def _check_vault(self, key_path: str) -> None:
        """Refuse a stored key of a vault that ``vault_ids`` keep the agent out of."""
        details = self.services.agents.get(self.agent.agent)
        if details is None or not details.vault_ids:
            return
        vault = self.services.secret_versions.vault_of_signing_key(key_path)
        if vault is not None and vault not in details.vault_ids:
            why = f"{key_path} is a key of a vault that is not one of the agent's vault_ids"
            raise KeyChoiceError("key_not_granted", why)

    def _sealed_share(self, found: Target) -> ClientShare | None:
        """Return the client's share, sealed to the signer; raise a 400 problem."""
        if self.share is None:
            return self.request.client_share
        read, account = self.services.backend.read, self.agent.account
        key = read.vaults.keys.find(account, found.key_path)
        if key is None:
            return None  # the signer refuses the intent: there is no key
        vault = read.registered.vaults.get((account, key.vault))
        if vault is None or not PLANS[vault.mode].needs_client:
            raise invalid({CLIENT_SHARE: "must be absent: the key's vault has no client shares"})
        announced = read.vaults.sealed_for(account, read.registered)
        if announced is None:
            detail = "The signer has published no key to seal client shares to: retry in a moment."
            raise Problem(503, "share_key_missing", detail, headers={"Retry-After": "1"})
        try:
            public_key = announced.public_key
            return sealed_share(self.share, key, self.agent.agent, self.services.org, public_key)
        except ValueError as error:
            raise invalid({CLIENT_SHARE: str(error)}) from None


def checked(
    services: Services, agent: AgentSet, request: TransactionRequest, share: str | None
) -> Signing:
    """Return a request whose members fit together; raise a 400 problem."""
    wrong = request.contradictions()
    if share is not None and request.client_share is not None:
        wrong |= {"client_share": f"contradicts the header {CLIENT_SHARE}: send only one"}
    if wrong:
        raise invalid(wrong)
    return Signing(services, agent, request, share)


@contextmanager
def form_problems() -> Iterator[None]:
    """Translate errors of forms, and of the choice of a key, to problems."""
    try:
        yield
    except IntentFormError as error:
        raise invalid(dict(error.problems)) from None
    except KeyChoiceError as error:
        ambiguous = error.code == "key_ambiguous"
        status = HTTPStatus.CONFLICT if ambiguous else HTTPStatus.FORBIDDEN
        sentence = str(error)
        detail = f"{sentence[:1].upper()}{sentence[1:]}."
        raise Problem(status, error.code, detail) from None


def keyed(key: str, request: TransactionRequest, mode: str | None) -> Keyed:
    """Return an idempotency key with the digest of what the user asked for.

    The client's share is sealed anew for each attempt, so it is not compared.
    """
    asked = request.model_dump(mode="json", exclude={"client_share"})
    asked |= {"chain": str(request.chain), "mode": mode}
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
    return Keyed(key, digest("sixgate/api-request/v1", text.encode()))


def chain_name(services: Services, chain_id: int) -> str:
    """Return the registered name of a chain, or its id if it was removed."""
    chain = services.backend.read.registered.chains.get(chain_id)
    return chain.name if chain else str(chain_id)


def transaction_reply(services: Services, ended: Ended) -> TransactionReply:
    """Return the reply about a submitted intent, with the signed bytes."""
    return transaction_view(
        ended.intent,
        ended.outcome,
        chain_name(services, ended.intent.chain_id),
        intent_id=ended.intent_id,
        created_at_ms=created_at_ms(ended.intent),
        include_signed_tx=True,
    )
