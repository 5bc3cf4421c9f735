"""An agent of a gateway is authenticated by that gateway's active key only; attacks by name."""

from typing import Any

import pytest

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, READ_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.intents.clearance import Clearance
from schemas.intents.reasons import Reason
from schemas.keys.secret_requests import SecretRequest
from schemas.keys.vault_events import SecretOrder
from schemas.partition import partition_of
from schemas.record import Record
from schemas.registry.access import Grant
from schemas.registry.records import AccessSet, Entry
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.case import Authentic
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.keys.key_register import KeyRegister
from signer.keys.orders import KeyOrderError
from signer.keys.vaults.orders import authorize_order, open_vault_order
from signer.secrets.read_requests import ReadRequestError, SeenRequests, verify_request
from signer.stage.case_builder import authenticate_clearance
from streams.gates.admission import admit
from streams.gates.passage import GateProjections, Passage
from tests.harness.builders.cases import (
    ACCOUNT,
    ALICE,
    MALLORY,
    NOW_MS,
    arrival,
    intent,
    service,
)
from tests.harness.builders.scoped_admins import (
    DESK,
    GATEWAY,
    OTHER_GATEWAY,
    gateway_agent,
    organisation,
)
from tests.harness.builders.vault_orders import asked

NEW_KEY = Ed25519Signer(GATEWAY.keyid, b"G" * 32)
OFF = service(GATEWAY, "gateway", active=False)
REPLACED = service(NEW_KEY, "gateway")
WRITES = AccessSet(
    agent="bob", grants=(Grant(effect="allow", vault="main", paths="**", rights=("write",)),)
)


def gate(registry: Registry, agent: str, by: Ed25519Signer) -> bool:
    """Return whether the admission gate authenticates an intent."""
    raw = by.sign_envelope(INTENT_TYPE, intent(agent=agent).encode()).encode()
    view = GateProjections(registry, KeyRegister().reference, lambda name: Account(account=name))
    home = partition_of(ACCOUNT, registry.partitions)
    admitted = admit(Record(Topic.SUBMITTED, home, 0, ACCOUNT, raw, NOW_MS), view, NOW_MS)
    if isinstance(admitted, Passage):
        return True
    assert admitted.reason in (Reason.SIGNATURE_INVALID, Reason.AGENT_UNKNOWN)
    return False


def signer(registry: Registry, agent: str, by: Ed25519Signer) -> bool:
    """Return whether the signer itself authenticates an intent."""
    envelope = by.sign_envelope(INTENT_TYPE, intent(agent=agent).encode())
    clearance = arrival(intent(agent=agent)).clearance.model_copy(update={"envelope": envelope})
    received = Clearance.decode(clearance.encode())
    try:
        return isinstance(authenticate_clearance(received, registry), Authentic)
    except (InvalidSignatureError, UnknownAgentError):
        return False


def read(registry: Registry, agent: str, by: Ed25519Signer) -> bool:
    """Return whether custody authenticates a request to read secrets."""
    request = SecretRequest(
        org=registry.org,
        account=ACCOUNT,
        agent=agent,
        operation="list",
        vault="main",
        reply_to="0x" + "11" * 32,
        nonce="0x" + "22" * 16,
        requested_at_ms=NOW_MS,
    )
    raw = by.sign_envelope(READ_REQUEST_TYPE, request.encode()).encode()
    try:
        verify_request(raw, registry, SeenRequests(), NOW_MS)
    except ReadRequestError:
        return False
    return True


def store(registry: Registry, agent: str, by: Ed25519Signer) -> bool:
    """Return whether the signer takes an order of an agent to store a secret."""
    order = SecretOrder(**asked(agent=agent))
    try:
        found = open_vault_order(by.sign_envelope(VAULT_ORDER_TYPE, order.encode()), registry)
    except KeyOrderError:
        return False
    assert found.actor == agent
    return True


WAYS = (gate, signer, read, store)


@pytest.mark.parametrize("way", WAYS)
def test_a_gateway_signs_for_its_own_agents(way: Any) -> None:
    _, registry = organisation()
    assert way(registry, "bob", GATEWAY)
    assert way(registry, "carol", OTHER_GATEWAY)
    assert way(registry, "alice", ALICE)


ATTACKS: dict[str, tuple[str, Ed25519Signer]] = {
    "the gateway signs for an agent with a key of its own": ("alice", GATEWAY),
    "the gateway signs for an agent of another gateway": ("carol", GATEWAY),
    "the gateway signs for an unknown agent": ("nobody", GATEWAY),
    "another gateway signs for the agent": ("bob", OTHER_GATEWAY),
    "an agent with a key signs for an agent of the gateway": ("bob", ALICE),
    "a scoped admin signs for an agent that it administers": ("bob", DESK),
    "a stranger signs for an agent of the gateway": ("bob", MALLORY),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_other_key_authenticates_an_agent(way: Any, attack: str) -> None:
    _, registry = organisation()
    agent, by = ATTACKS[attack]
    assert not way(registry, agent, by)


@pytest.mark.parametrize("way", WAYS)
def test_a_revoked_gateway_authenticates_no_agent(way: Any) -> None:
    operator, registry = organisation(OFF)
    assert not way(registry, "bob", GATEWAY)
    assert way(registry, "alice", ALICE)
    registry.apply(operator.write(service(GATEWAY, "gateway")))
    assert way(registry, "bob", GATEWAY)


@pytest.mark.parametrize("way", WAYS)
def test_only_the_current_key_of_a_gateway_authenticates(way: Any) -> None:
    _, registry = organisation(REPLACED)
    assert not way(registry, "bob", GATEWAY)
    assert way(registry, "bob", NEW_KEY)


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_with_a_key_is_lost_to_a_gateway_only_by_a_full_admins_record(way: Any) -> None:
    operator, registry = organisation()
    registry.apply(operator.write(gateway_agent(agent="alice", policy_id="standard")))
    assert way(registry, "alice", GATEWAY)
    assert not way(registry, "alice", ALICE)


@pytest.mark.parametrize(("entry", "allowed"), [(gateway_agent(), False), (WRITES, True)])
def test_an_order_through_the_gateway_needs_the_agents_own_grant(
    entry: Entry, *, allowed: bool
) -> None:
    _, registry = organisation(entry)
    envelope = GATEWAY.sign_envelope(VAULT_ORDER_TYPE, SecretOrder(**asked(agent="bob")).encode())
    access = authorize_order(open_vault_order(envelope, registry), registry, NOW_MS)
    assert (type(access).__name__ == "Allowed") is allowed


@pytest.mark.parametrize("kind", [VAULT_ORDER_TYPE, KEY_REQUEST_TYPE])
def test_a_gateways_key_is_no_admins_key(kind: str) -> None:
    _, registry = organisation()
    body = SecretOrder(**asked()).encode()
    with pytest.raises(InvalidSignatureError, match="no admin key"):
        registry.author_of(GATEWAY.sign_envelope(kind, body), kind)
    with pytest.raises(KeyOrderError, match="neither by an admin"):
        open_vault_order(GATEWAY.sign_envelope(VAULT_ORDER_TYPE, body), registry)
