"""Operations of agents: transactions, messages, simulations, own keys, chains."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Unpack, cast

from sixgate_client.errors import Json, SixgateError, StillPendingError, ended_error
from sixgate_client.session import Operation, Options, Pause, Session, segment
from sixgate_client.types import (
    Agent,
    MessageSignature,
    SigningKey,
    Simulation,
    Transaction,
    TransactionFields,
)

DEADLINE_S_DEFAULT = 120.0
POLL_S, POLL_S_MAX = 0.5, 5.0
# Every other status is final for this client: a later one only reports the chain's progress.
UNDECIDED = {"pending", "awaiting_approval"}


class Page(NamedTuple):
    """One page of a list, and the cursor of the next one."""

    items: list[Any]
    next_cursor: str | None


def submit(
    session: Session,
    *,
    idempotency_key: str | None = None,
    agent_id: str | None = None,
    **fields: Unpack[TransactionFields],
) -> Operation[Transaction]:
    """Submit a transaction; the reply may be ``pending``. Raises ``RefusedError`` if it is refused.

    Without ``idempotency_key`` a new one is generated: the call's own retries repeat it, another
    call is another transaction.
    """
    key = idempotency_key or session.new_key()
    found = yield from _post(session, agent_id, "transactions", fields, key)
    return cast(Transaction, found)


def submit_and_wait(
    session: Session,
    *,
    idempotency_key: str | None = None,
    agent_id: str | None = None,
    deadline_s: float = DEADLINE_S_DEFAULT,
    **fields: Unpack[TransactionFields],
) -> Operation[Transaction]:
    """Submit a transaction and wait until it is signed; raise the error of any other end.

    Raises ``StillPendingError`` after ``deadline_s``; the transaction stays submitted.
    """
    ends_at_s = session.clock() + deadline_s
    key = idempotency_key or session.new_key()
    try:
        found = yield from submit(session, idempotency_key=key, agent_id=agent_id, **fields)
        found = yield from _ended(session, found, agent_id, ends_at_s)
    except SixgateError as error:
        # Also of a failed read: the outcome is as unknown as that of a lost submission.
        error.idempotency_key = key
        raise
    if (refusal := ended_error(cast(Json, found))) is not None:
        raise refusal
    return found


def _ended(
    session: Session, found: Transaction, agent_id: str | None, ends_at_s: float
) -> Operation[Transaction]:
    """Read a transaction until it is decided; raise ``StillPendingError`` at the end."""
    wait_s = POLL_S
    while found["status"] in UNDECIDED:
        left_s = ends_at_s - session.clock()
        if left_s <= 0:
            raise StillPendingError(cast(Json, found))
        yield Pause(min(wait_s, left_s))
        wait_s = min(POLL_S_MAX, wait_s * 2)
        found = yield from transaction(
            session, found["id"], include_signed_tx=True, agent_id=agent_id
        )
    return found


def sign_transaction(
    session: Session,
    *,
    idempotency_key: str | None = None,
    agent_id: str | None = None,
    **fields: Unpack[TransactionFields],
) -> Operation[Transaction]:
    """Sign a transaction that the caller broadcasts; it counts against all limits."""
    key = idempotency_key or session.new_key()
    found = yield from _post(session, agent_id, "transactions/sign", fields, key)
    return cast(Transaction, found)


def sign_message(
    session: Session,
    message: str,
    *,
    chain: str = "ethereum",
    agent_id: str | None = None,
) -> Operation[MessageSignature]:
    """Sign a message (EIP-191); sent once, because the server takes no key here."""
    body = {"intent_type": "personal_sign", "chain": chain, "message": message}
    found = yield from _post(session, agent_id, "sign", body)
    return cast(MessageSignature, found)


def sign_typed_data(
    session: Session,
    typed_data: Json,
    *,
    chain: str = "ethereum",
    agent_id: str | None = None,
) -> Operation[MessageSignature]:
    """Sign typed data (EIP-712); sent once."""
    body = {"intent_type": "typed_data", "chain": chain, "typed_data": typed_data}
    found = yield from _post(session, agent_id, "sign", body)
    return cast(MessageSignature, found)


def simulate(
    session: Session, *, agent_id: str | None = None, **fields: Unpack[TransactionFields]
) -> Operation[Simulation]:
    """Simulate a transaction; a revert is a result."""
    found = yield from _post(session, agent_id, "transactions/simulate", fields)
    return cast(Simulation, found)


def simulate_bundle(
    session: Session, transactions: list[TransactionFields], *, agent_id: str | None = None
) -> Operation[Json]:
    """Simulate transactions one after the other."""
    body = {"transactions": transactions}
    found = yield from _post(session, agent_id, "transactions/simulate-bundle", body)
    return cast(Json, found)


def transactions_page(
    session: Session,
    cursor: str | None,
    *,
    include_signed_tx: bool = False,
    limit: int | None = None,
    agent_id: str | None = None,
) -> Operation[Page]:
    """List an agent's transactions, newest first."""
    path = yield from _own_path(session, agent_id, "transactions")
    params = {"include_signed_tx": include_signed_tx or None, "limit": limit}
    return (yield from page(session, path, "transactions", cursor, params))


def transaction(
    session: Session,
    transaction_id: str,
    *,
    include_signed_tx: bool = False,
    agent_id: str | None = None,
) -> Operation[Transaction]:
    """Read one transaction."""
    path = yield from _own_path(session, agent_id, f"transactions/{segment(transaction_id)}")
    options = Options(params={"include_signed_tx": include_signed_tx or None})
    return cast(Transaction, (yield from session.call("GET", path, options)))


def signing_keys(session: Session, *, agent_id: str | None = None) -> Operation[list[SigningKey]]:
    """List an agent's keys, one per chain."""
    path = yield from _own_path(session, agent_id, "signing-keys")
    found = yield from session.call("GET", path)
    return cast(list[SigningKey], found["signing_keys"])


def me(session: Session) -> Operation[Agent]:
    """Read the agent of this client's token: its limits, and what it spent today."""
    return cast(Agent, (yield from session.call("GET", "/v1/agents/me")))


def chains(session: Session) -> Operation[list[Json]]:
    """List the registered chains."""
    found = yield from session.call("GET", "/v1/chains")
    return cast(list[Json], found["chains"])


def page(
    session: Session,
    path: str,
    name: str,
    cursor: str | None,
    params: Mapping[str, object],
) -> Operation[Page]:
    """Read one page of a list, whose items are in the member ``name``."""
    options = Options(params={**params, "cursor": cursor})
    found = yield from session.call("GET", path, options)
    return Page(found[name], found.get("next_cursor"))


def _post(
    session: Session,
    agent_id: str | None,
    rest: str,
    body: Mapping[str, Any],
    key: str | None = None,
) -> Operation[Any]:
    path = yield from _own_path(session, agent_id, rest)
    return (yield from session.call("POST", path, Options(body=dict(body), key=key)))


def _own_path(session: Session, agent_id: str | None, rest: str) -> Operation[str]:
    agent = yield from session.own_agent_id(agent_id)
    return f"/v1/agents/{segment(agent)}/{rest}"
