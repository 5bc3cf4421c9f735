"""Events of keys in vaults of any mode; their wrappings are placeholders by default."""

from typing import Any

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.key_events import KeyProvisioned
from schemas.keys.vault_events import (
    KeyChange,
    SecretRewrapped,
    VaultKeyChanged,
    VaultKeyOrder,
    rewrap_id,
    vault_answer_id,
)
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.registry.records import AccountOpened, VaultCreated
from signer.core.registry.registry import Registry
from signer.custody.custody_modes import PLANS
from signer.custody.event_signing import Ed25519Signer
from tests.harness.builders.cases import (
    ADMIN,
    KEY_PATH,
    NOW_MS,
    ORG,
    SIGNER,
    key_answer,
    key_request,
)
from tests.harness.builders.cases import registered as usually_registered

FUND = "fund"
"""An account whose vault of agent keys has a chosen mode."""


def registered(mode: CustodyMode) -> Registry:
    """Return a registry in which the vault of ``FUND``'s agent keys has a mode."""
    made = VaultCreated(account=FUND, vault=AGENT_KEYS, mode=mode)
    return usually_registered(made, AccountOpened(account=FUND))[1]


def wrapped_in(mode: CustodyMode, blob: str = "01") -> dict[str, Any]:
    """Return the fields of a wrapped data key in a mode."""
    names = ("gcp", "aws", "azure")[: PLANS[mode].providers]
    if not names:
        return {"wrapped_kek": "0x01", "wrapped_dek": f"0x{blob}"}
    shares = tuple({"provider": name, "blob": f"0x{blob}"} for name in names)
    return {"wrapped_kek": None, "wrapped_dek": None, "wrapped_shares": shares}


def answered(mode: CustodyMode, **changes: Any) -> KeyProvisioned:
    """Return the unsigned event of ``FUND``'s new key in a vault of this mode."""
    share = {"client_share": "0x0c"} if PLANS[mode].needs_client else {}
    terms = key_answer(key_request(account=FUND)).plain() | {"mode": mode} | share
    return KeyProvisioned(**(terms | wrapped_in(mode) | changes))


def ordered(by: Ed25519Signer = ADMIN, **changes: Any) -> Envelope:
    """Return an admin's order to change the key of ``FUND``'s vault of agent keys."""
    terms: dict[str, Any] = {
        "org": ORG,
        "account": FUND,
        "vault": AGENT_KEYS,
        "change": "kek",
        "sequence": 1,
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
    }
    order = VaultKeyOrder(**(terms | changes))
    return by.sign_envelope(VAULT_ORDER_TYPE, order.encode())


def changed(
    change: KeyChange = "kek", sequence: int = 1, wrapped_kek: str = "0x02", **changes: Any
) -> bytes:
    """Return a signer's event of a vault's new KEK or root."""
    request = ordered(change=change, sequence=sequence)
    terms: dict[str, Any] = {
        "id": vault_answer_id(request.body()),
        "request": request,
        "account": FUND,
        "vault": AGENT_KEYS,
        "change": change,
        "sequence": sequence,
        "kms_key": "local:new",
        "wrapped_kek": wrapped_kek,
        "changed_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return SIGNER.sign_event(VaultKeyChanged(**(terms | changes)))


def rewrapped(sequence: int = 1, **changes: Any) -> bytes:
    """Return a signer's event of the key's new wrapping."""
    place = (FUND, AGENT_KEYS, KEY_PATH, 1)
    terms: dict[str, Any] = {
        "id": rewrap_id(*place, sequence),
        "account": FUND,
        "vault": AGENT_KEYS,
        "path": KEY_PATH,
        "version": 1,
        "sequence": sequence,
        "wrapped_kek": "0x02",
        "wrapped_dek": "0x03",
        "rewrapped_at_ms": NOW_MS,
        "signer": SIGNER.keyid,
    }
    return SIGNER.sign_event(SecretRewrapped(**(terms | changes)))
