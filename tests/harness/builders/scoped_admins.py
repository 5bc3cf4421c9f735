"""A registry with a gateway, its agent and a scoped admin, beside alice with a key of her own."""

import copy
from typing import Any

import pytest

from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccountOpened,
    AgentSet,
    Entry,
    PolicySet,
    RecordVersion,
    ScopedAdminSet,
    VaultCreated,
)
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from tests.harness.builders.cases import ACCOUNT, Operator, agent, registered, service

GATEWAY = Ed25519Signer("gateway-0", b"g" * 32)
OTHER_GATEWAY = Ed25519Signer("gateway-1", b"h" * 32)
DESK = Ed25519Signer("desk", b"d" * 32)
NEIGHBOUR = "ops"
"""An account that is not in the desk's scope."""
CEILING = Policy(
    tx_to_allowlist=("0x" + "11" * 20, "0x" + "33" * 20),
    tx_max_value_eth="2",
    tx_max_fee_eth="0.02",
    tx_daily_limit_eth="5",
    tx_allowed_chains=("base", "ethereum"),
    intents_per_minute=10,
)
TIGHT = CEILING.model_copy(update={"tx_max_value_eth": "1"})


def gateway_agent(**changes: Any) -> AgentSet:
    """Return bob, an agent of ``GATEWAY``."""
    terms: dict[str, Any] = {
        "agent": "bob",
        "public_key": None,
        "gateway": GATEWAY.keyid,
        "policy_id": "tight",
    }
    return agent(**(terms | changes))


def scope(**changes: Any) -> ScopedAdminSet:
    """Return the desk: a scoped admin of the agents of ``GATEWAY`` in ``ACCOUNT``."""
    terms: dict[str, Any] = {
        "name": DESK.keyid,
        "public_key": DESK.public_key,
        "active": True,
        "accounts": (ACCOUNT,),
        "gateway": GATEWAY.keyid,
        "ceiling": CEILING,
    }
    return ScopedAdminSet(**(terms | changes))


def scoped_entries(**changes: Any) -> tuple[Entry, ...]:
    """Return the entries that ``organisation`` adds; changes apply to the desk's."""
    return (
        AccountOpened(account=NEIGHBOUR),
        VaultCreated(account=ACCOUNT, vault="main", mode="envelope"),
        VaultCreated(account=NEIGHBOUR, vault="main", mode="envelope"),
        service(GATEWAY, "gateway"),
        service(OTHER_GATEWAY, "gateway"),
        PolicySet(policy_id="tight", policy=TIGHT),
        gateway_agent(),
        gateway_agent(agent="carol", gateway=OTHER_GATEWAY.keyid, policy_id="standard"),
        gateway_agent(agent="dave", account=NEIGHBOUR, policy_id="dave"),
        scope(**changes),
    )


def organisation(*entries: Entry, **changes: Any) -> tuple[Operator, Registry]:
    """Return the full admin and the registry; changes apply to the desk's scope."""
    return registered(*scoped_entries(**changes), *entries)


def by_desk(
    operator: Operator, entry: Entry, by: Ed25519Signer = DESK, v: RecordVersion = 1
) -> bytes:
    """Return the next registry record with an entry, signed by the desk."""
    return operator.sealed(operator.record(entry, v=v), by)


def apply_by_desk(
    operator: Operator, registry: Registry, entry: Entry, v: RecordVersion = 1
) -> None:
    """Apply an entry that the desk signed, and let the operator continue after it."""
    raw = by_desk(operator, entry, v=v)
    registry.apply(raw)
    operator.written.append(raw)
    operator.head = registry.last_digest


def refuses(operator: Operator, registry: Registry, entry: Entry, because: str) -> None:
    """Check that the desk's record is refused and the registry unchanged."""
    before = copy.deepcopy(registry)
    with pytest.raises(RegistryRecordError, match=because):
        registry.apply(by_desk(operator, entry))
    assert registry == before
