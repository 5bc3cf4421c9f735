"""Execution of key orders: generate, rotate, import and deactivate signing keys.

The answer is unsigned, and in effect once the caller has signed, loaded and committed it.
*If the process ends before that commit, the new key existed in memory only; the order is executed
again, unless it expired meanwhile.*
"""

from dataclasses import dataclass
from typing import Any

from schemas.keys.key_events import (
    AnyAnswer,
    KeyDeactivated,
    KeyDeactivation,
    KeyImport,
    KeyProvisioned,
    KeyRequest,
    KeyRotation,
)
from signer.custody.buffers import wiping
from signer.keys.addresses.derivation import canonical_address, derive
from signer.keys.answers import FIRST_VERSION
from signer.keys.key_import import ImportBoxes
from signer.keys.key_register import KeyRegister
from signer.keys.keychain import Keychain, MadeKey, NewKey
from signer.keys.orders import KeyOrderError, VerifiedKeyOrder
from signer.keys.vault_paths import default_vault
from signer.keys.vaults.wrappings import wrapping_fields


@dataclass(slots=True)
class KeyProvisioner:
    """Creates keys and versions; the register changes only when the answers are loaded."""

    keys: KeyRegister
    keychain: Keychain
    imports: ImportBoxes

    def execute(self, ordered: VerifiedKeyOrder, signer: str, now_ms: int) -> AnyAnswer:
        """Return the unsigned answer to an order, in the name of ``signer``.

        Raises ``KeyOrderError`` if the order is impossible in the current state, and
        ``CustodyError``; then nothing was created.
        """
        order = ordered.order
        self.keys.check_possible(order)
        self.keys.check_timely(order, now_ms)
        fields: dict[str, Any] = {
            "id": ordered.id,
            "request": ordered.envelope,
            "account": order.account,
            "path": order.path,
            "signer": signer,
        }
        if isinstance(order, KeyDeactivation):
            return KeyDeactivated(**fields, version=order.version, deactivated_at_ms=now_ms)
        made = self._make(order, ordered.box)
        return KeyProvisioned(**fields, **_event_fields(made), provisioned_at_ms=now_ms)

    def _make(self, order: KeyRequest | KeyRotation | KeyImport, box: bytes) -> MadeKey:
        match order:
            case KeyRotation():
                newest = self.keys.by_path[(order.account, order.path)]
                chain, vault, share_for = newest.chain, newest.vault, order.share_for
                return self.keychain.generate(
                    NewKey(order.account, order.path, order.version + 1, chain, vault, share_for)
                )
            case KeyRequest():
                return self.keychain.generate(self._first_version(order))
            case KeyImport():
                return self._import_key(order, box)

    def _first_version(self, order: KeyRequest | KeyImport) -> NewKey:
        account, path = order.account, order.path
        vault = order.vault or default_vault(account, path, self.keychain.vaults)
        return NewKey(account, path, FIRST_VERSION, order.chain, vault, order.share_for)

    def _import_key(self, order: KeyImport, box: bytes) -> MadeKey:
        with wiping(self.imports.open(box, order.box_context(), order.import_key)) as secret:
            made = self.keychain.seal_key(self._first_version(order), secret)
        if _address(made) != order.address:
            raise KeyOrderError(f"the imported key does not have the address {order.address}")
        return made


def _address(made: MadeKey) -> str:
    return canonical_address(made.key.chain, derive(made.key.chain, made.public_key))


def _event_fields(made: MadeKey) -> dict[str, Any]:
    return {
        **wrapping_fields(made.sealed),
        "vault": made.vault.name,
        "mode": made.vault.mode,
        "version": made.key.version,
        "chain": made.key.chain,
        "address": _address(made),
        "public_key": f"0x{made.public_key.hex()}",
        "kms_key": made.kms_key,
        "ciphertext": f"0x{made.sealed.ciphertext.hex()}",
        "client_share": f"0x{made.client_share.hex()}" if made.client_share else None,
    }
