"""An organisation with an account per custody mode, its agents, and a client with shares."""

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from schemas.dsse import KEY_REQUEST_TYPE, VAULT_ORDER_TYPE
from schemas.intents.intent_parts import ClientShare
from schemas.keys.client_share import ClientShareContext
from schemas.keys.key_events import KeyRequest
from schemas.keys.recovery import RecoveryOrder
from schemas.keys.vault_events import SecretOrder, VaultKeyOrder
from schemas.record import Outgoing
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.registry.records import AccountOpened, Entry, PolicySet, VaultCreated
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey, seal_for
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import Folder
from tests.harness.pipeline.embedded import BASE, KEY_PATH, POLICY, Producer, agent_entry

MODES: tuple[CustodyMode, ...] = tuple(PLANS)
HOLDERS_NEEDED: dict[CustodyMode, int] = {
    "envelope": 0,
    "2of2_client_custody": 0,
    "2of3_multi_hsm": 2,
    "2of3_client_custody": 1,
    "2of3_multi_hsm_client": 2,
}
STORED_AT = "prod/token"
Vault = Callable[[], list[bytes]]
"""Reads the events of the vault topic."""


def account_of(mode: CustodyMode) -> str:
    return f"fund-{mode.replace('_', '-')}"


@dataclass
class CustodyOrganisation:
    """The folder and its agents; ``client`` receives the client shares of all accounts."""

    folder: Folder
    traders: dict[CustodyMode, Producer]
    client: HpkeKey = field(default_factory=lambda: HpkeKey.generate(secrets.token_bytes))

    @property
    def share_for(self) -> str:
        return f"0x{self.client.public_key.hex()}"

    def orders(self) -> Iterator[Outgoing]:
        """Yield the orders for a key and a generated secret of every account, and for a new KEK.

        In modes with recovery, also yield an order to replace the client share.
        """
        for mode in MODES:
            about: dict[str, Any] = {
                "org": "acme",
                "account": account_of(mode),
                "requested_at_ms": now_ms(),
                "registry_sequence": 0,
            }
            client: dict[str, Any] = (
                {"share_for": self.share_for} if PLANS[mode].needs_client else {}
            )
            yield self._order(KEY_REQUEST_TYPE, KeyRequest(**about, path=KEY_PATH, **client))
            terms: dict[str, Any] = {"vault": "main", "path": STORED_AT, "kind": "password"}
            for version in (1, 2):
                order = SecretOrder(**about, **terms, version=version, **client)
                yield self._order(VAULT_ORDER_TYPE, order)
            if PLANS[mode].recoverable:
                lost: dict[str, Any] = {
                    "vault": "main",
                    "path": STORED_AT,
                    "version": 1,
                    "why": "it was lost",
                }
                until = {"expires_at_ms": about["requested_at_ms"] + 600_000}
                yield self._order(
                    VAULT_ORDER_TYPE, RecoveryOrder(**about, **lost, **until, **client)
                )
            for vault in ("main", AGENT_KEYS) if PLANS[mode].has_vault_key else ():
                change = VaultKeyOrder(**about, vault=vault, change="kek", sequence=1)
                yield self._order(VAULT_ORDER_TYPE, change)

    def intent(self, mode: CustodyMode, key: str, vault: Vault, **changes: Any) -> Outgoing:
        """Return an intent of a mode's account, with a client share if the mode has one."""
        if PLANS[mode].needs_client and "client_share" not in changes:
            changes["client_share"] = self.sent(mode, self.share(mode, vault), vault)
        return Outgoing(
            Topic.SUBMITTED, account_of(mode), self.traders[mode].signed(key, **changes)
        )

    def share(self, mode: CustodyMode, vault: Vault) -> bytearray:
        """Open the client share of a mode's key from the signer's event."""
        answer = next(
            e for e in events_of_type(vault, "key.provisioned") if e["account"] == account_of(mode)
        )
        return self.client.open(bytes.fromhex(answer["client_share"][2:]), place(mode).to_client())

    def sent(self, mode: CustodyMode, share: bytes | bytearray, vault: Vault) -> ClientShare:
        """Seal a share to the signer's current share key."""
        named = [
            e
            for e in events_of_type(vault, "share.key.announced")
            if e["account"] == account_of(mode)
        ]
        context = place(mode).to_signer(self.traders[mode].signer.keyid)
        public_key = named[-1]["public_key"]
        box = f"0x{seal_for(public_key, share, context).hex()}"
        return ClientShare(key_version=1, share_key=public_key, box=box)

    def _order(self, payload_type: str, order: Any) -> Outgoing:
        raw = self.folder.admin().sign_envelope(payload_type, order.encode()).encode()
        return Outgoing(Topic.KEY_REQUESTS, order.account, raw)


def place(mode: CustodyMode) -> ClientShareContext:
    return ClientShareContext(
        org="acme", account=account_of(mode), vault=AGENT_KEYS, path=KEY_PATH, version=1
    )


def events_of_type(vault: Vault, kind: str) -> list[dict[str, Any]]:
    """Return the events of a type, in the order of each account."""
    return [event for event in map(orjson.loads, vault()) if event["type"] == kind]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def make_custody_organisation(path: Path) -> CustodyOrganisation:
    """Make the folder, without orders."""
    traders = {
        mode: Producer(Ed25519Signer(f"trader-{number}", secrets.token_bytes(32)), account_of(mode))
        for number, mode in enumerate(MODES)
    }
    entries: list[Entry] = [PolicySet(policy_id="standard", policy=POLICY), BASE]
    for mode, trader in traders.items():
        account = account_of(mode)
        entries += [
            VaultCreated(account=account, vault=AGENT_KEYS, mode=mode),
            AccountOpened(account=account),
            VaultCreated(account=account, vault="main", mode=mode),
            agent_entry(trader.signer, account=account),
        ]
    folder = create(path, Founding("acme", entries), now_ms(), secrets.token_bytes)
    return CustodyOrganisation(folder, traders)
