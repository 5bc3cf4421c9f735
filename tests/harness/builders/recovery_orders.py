"""Orders of an admin to replace a client's key share, and their approval."""

from typing import Any

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.recovery import RecoveryOrder
from schemas.registry.custody import CustodyMode
from signer.custody.event_signing import Ed25519Signer
from signer.custody.recovery import Approval
from tests.harness.builders.custody_providers import in_mode

MODE: CustodyMode = "2of3_client_custody"
HERE = in_mode(MODE)
ADMIN = Ed25519Signer("admin", bytes(32))
NOBODY = Ed25519Signer("admin", bytes(range(32)))
NOW_MS = 1_800_000_000_000
CLIENT = "0x" + "c1" * 32


def order(**changes: Any) -> RecoveryOrder:
    place = {name: getattr(HERE, name) for name in ("org", "account", "vault", "path", "version")}
    terms = {
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
        "expires_at_ms": NOW_MS + 600_000,
        "share_for": CLIENT,
    }
    return RecoveryOrder(**(place | terms | {"why": "the client lost its share"} | changes))


def envelope(asked: RecoveryOrder, signer: Ed25519Signer = ADMIN) -> Envelope:
    return signer.sign_envelope(VAULT_ORDER_TYPE, asked.encode())


def approval(sealed_order: Envelope, now_ms: int = NOW_MS) -> Approval:
    return Approval(sealed_order, (NOBODY.public_key[:-2] + "00", ADMIN.public_key), now_ms)
