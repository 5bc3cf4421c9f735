"""Execution of vault orders: new versions of secrets, rotations, recoveries, share migrations.

The events are unsigned, and in effect once the caller has signed, loaded and committed them.
*If the process ends before that commit, the order is read and executed again, unless it expired.*
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from schemas.keys.curves import Curve
from schemas.keys.provider_roots import ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder
from schemas.keys.vault_events import SecretKind, SecretOrder, SecretRewrapped, VaultAnswer
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.cmek import require_layer
from signer.custody.curves import new_secret
from signer.custody.errors import CustodyError
from signer.custody.rewrapping import NOT_OPEN
from signer.custody.sealing import Holders
from signer.keys.key_import import ImportBoxes
from signer.keys.register import VaultRegister
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.orders import VerifiedVaultOrder
from signer.keys.vaults.recovery import Recovery
from signer.keys.vaults.rotation import Rewraps, Rotation
from signer.keys.vaults.secret_sealing import SecretSealing
from signer.keys.vaults.share_migration import ShareMigration

GENERATED_BYTES = 32
STUCK_MS = 600_000
_CURVES: dict[SecretKind, Curve] = {"private_key": Curve.SECP256K1, "ssh_key": Curve.ED25519}


@dataclass(slots=True)
class VaultOrderExecutor:
    """Executes orders about vaults; the register changes only when the answers are loaded.

    ``secret_holders`` hold the keys of vaults for secrets [default: ``holders``].
    """

    registry: Registry
    vault: VaultRegister
    holders: Holders
    imports: ImportBoxes
    random_bytes: RandomBytes
    secret_holders: Holders | None = None
    _settled: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _idle_count: int = -1
    _stuck: dict[VersionId, str] = field(default_factory=dict)
    _stuck_shares: dict[tuple[VersionId, str], str] = field(default_factory=dict)
    _stuck_since_ms: int = 0

    @property
    def secret_sealing(self) -> SecretSealing:
        """Seals and opens secrets that are not signing keys."""
        return SecretSealing(
            self.registry, self.vault.secrets, self._holders(signing=False), self.random_bytes
        )

    @property
    def share_migration(self) -> ShareMigration:
        """Moves providers' shares to new root keys."""
        return ShareMigration(
            self.registry, self.vault, self._holders, self.random_bytes, self._stuck_shares
        )

    def execute(self, ordered: VerifiedVaultOrder, signer: str, now_ms: int) -> VaultAnswer:
        """Return the unsigned answer to an order that ``authorize_order`` allowed.

        Raises ``KeyOrderError`` if the order is impossible in the current state, and
        ``CustodyError``; then nothing was created.
        """
        order = ordered.order
        if isinstance(order, SecretOrder):
            self.vault.secrets.check_next(order)
            self.vault.secrets.check_room(order, len(ordered.box))
            with wiping(self._value(order, ordered.box)) as value:
                self._require_layer(order, value)
                return self.secret_sealing.seal(ordered.envelope, value, signer, now_ms)
        if isinstance(order, RecoveryOrder):
            return self._recovery(ordered.vault).execute(ordered.envelope, order, signer, now_ms)
        if isinstance(order, ProviderRootOrder):
            return self.share_migration.begin(ordered, order, signer, now_ms)
        rotation = self._rotation(ordered.vault, signer, now_ms)
        root = self._holders(signing=ordered.vault.holds_keys).root
        return rotation.change_key(ordered.envelope, root, root, self.random_bytes)

    def rewraps(self, signer: str, now_ms: int, count_max: int) -> Rewraps:
        """Return unsigned events that rewrap outdated versions, at most ``count_max``.

        Call it again after committing them until it returns no events. A version that does not
        open blocks neither other versions nor other vaults; it is retried after ``STUCK_MS``.
        Raises ``CustodyError``.
        """
        self._retry_stuck(now_ms)
        if self._idle_count == self.vault.count:
            return Rewraps()
        failed: CustodyError | None = None
        try:
            made = self._rewrap_keks(signer, now_ms, count_max)
        except CustodyError as error:  # the root failed; shares do not depend on it
            made, failed = Rewraps(), error
        if not made.events:
            moved = self.share_migration.move_some_shares(signer, now_ms)
            made = Rewraps(moved.events, (*made.stuck, *moved.stuck))
        if not made.events and failed is not None:
            raise failed
        if not made.events:
            self._idle_count = self.vault.count
        return made

    def _retry_stuck(self, now_ms: int) -> None:
        if not self._stuck and not self._stuck_shares:
            self._stuck_since_ms = now_ms
        elif now_ms - self._stuck_since_ms >= STUCK_MS:
            self._stuck.clear()
            self._stuck_shares.clear()
            self._stuck_since_ms = now_ms
            self._idle_count = -1

    def _rewrap_keks(self, signer: str, now_ms: int, count_max: int) -> Rewraps:
        known_count = len(self._stuck)
        for vault in self._outdated_vaults():
            events = self._rewrap_vault(vault, signer, now_ms, count_max)
            if events:
                return Rewraps(events, tuple(self._stuck.items())[known_count:])
        return Rewraps((), tuple(self._stuck.items())[known_count:])

    def _rewrap_vault(
        self, vault: Vault, signer: str, now_ms: int, count_max: int
    ) -> tuple[SecretRewrapped, ...]:
        rotation = self._rotation(vault, signer, now_ms)
        root = self._holders(signing=vault.holds_keys).root
        events = rotation.rewrap_outdated(root, self.random_bytes, self._stuck)
        try:
            return tuple(islice(events, count_max))
        except NOT_OPEN as error:  # the vault's newest KEK does not open: all versions are stuck
            outdated = self.vault.wrappings.outdated(vault.id)
            self._stuck |= dict.fromkeys(outdated, str(error))
            return ()

    def _holders(self, *, signing: bool) -> Holders:
        return self.holders if signing or self.secret_holders is None else self.secret_holders

    def _require_layer(self, order: SecretOrder, value: bytearray) -> None:
        """Refuse a value that is not encrypted under the newest enrolled customer key, if any."""
        enrolled = self.registry.customer_keys.get((order.account, order.vault))
        if enrolled:
            require_layer(value, enrolled[-1])

    def _outdated_vaults(self) -> Iterator[Vault]:
        """Yield the vaults that have versions under a former KEK.

        New versions are sealed under the current KEK, so a settled vault stays settled until its
        KEK changes.
        """
        wrappings = self.vault.wrappings
        for vault_id, key in list(wrappings.keys.items()):
            if max(key.newest) == 1 or self._settled.get(vault_id) == key.current:
                continue
            outdated = list(wrappings.outdated(vault_id))
            if not outdated:
                self._settled[vault_id] = key.current
            elif any(each not in self._stuck for each in outdated):
                yield self.registry.vaults[vault_id]

    def _rotation(self, vault: Vault, signer: str, now_ms: int) -> Rotation:
        return Rotation(self.registry.org, vault, self.vault.wrappings, signer, now_ms)

    def _recovery(self, vault: Vault) -> Recovery:
        holders = self._holders(signing=vault.holds_keys)
        return Recovery(self.registry, vault, self.vault.wrappings, holders, self.random_bytes)

    def _value(self, order: SecretOrder, box: bytes) -> bytearray:
        if order.box is not None:
            return self.imports.open(box, order.box_context())
        if order.kind in _CURVES:
            return new_secret(_CURVES[order.kind], self.random_bytes)
        with wiping(draw(self.random_bytes, GENERATED_BYTES)) as drawn:
            return bytearray(drawn.hex(), "ascii")
