"""Custody maintenance of a signer, in portions between batches: rewraps, share keys, audit records.

The caller commits the returned events together with the changes of the slot's memory. What is left
to do follows from committed state alone:

- **Rewraps.** *If the process ends before the commit, the version is rewrapped again under the same
  new key.*
- **Share keys.** A new share key and its first announcements are in one commit. *If the process
  ends before it, no client has seen that key, and the next start makes another.*
- **Audit records** of KMS calls. *If the process ends before the commit, they are lost.*
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from schemas.keys.vault_events import ShareKeyAnnounced, announcement_id
from schemas.ledger.audit import AuditAction, audited, input_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CustodyError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.share_key import SealedShareKey
from signer.keys.custody_records import CustodyRecords
from signer.keys.keychain import Keychain
from signer.keys.share_key_rotation import ShareKeyRotation
from signer.keys.vaults.order_execution import VaultOrderExecutor
from signer.keys.vaults.rotation import Stuck

REWRAPS_MAX = 256
ANNOUNCED_MAX = 256
RETRY_MS = 60_000
STUCK_REPORTED_MAX = 16


def owns_every_account(_account: str) -> bool:
    """Return True: a signer without shards or slots decides for every account."""
    return True


@dataclass(slots=True)
class CustodyMaintenance:
    """Does each kind of work in portions and retries ``RETRY_MS`` after a KMS failed.

    ``owns`` returns whether this signer decides for an account [default: all accounts].
    """

    identity: Ed25519Signer
    vaults: VaultOrderExecutor
    keychain: Keychain
    shares: ShareKeyRotation
    records: CustodyRecords
    owns: Callable[[str], bool] = owns_every_account
    _rewrap_after_ms: int = 0
    _rotate_after_ms: int = 0
    _announced: tuple[int, int | None] = (-1, None)  # registry sequence, share key version

    def run(self, now_ms: int) -> list[Outgoing]:
        """Do one portion of each kind of work; return the events to publish."""
        return self.rotate_share_keys(now_ms) + self.rewrap(now_ms) + self.drain_records(now_ms)

    @property
    def share_version(self) -> int | None:
        """The version of the current share key."""
        return self.shares.version

    def end_recovery(self) -> None:
        """Let expired share keys open no client share from now on."""
        self.shares.finishing = False

    def rewrap(self, now_ms: int) -> list[Outgoing]:
        """Rewrap up to ``REWRAPS_MAX`` versions that are still under a former key.

        If the root key does not answer, nothing changes and every version still opens.
        """
        if now_ms < self._rewrap_after_ms:
            return []
        try:
            made = self.vaults.rewraps(self.identity.keyid, now_ms, REWRAPS_MAX)
        except CustodyError as error:
            self._rewrap_after_ms = now_ms + RETRY_MS
            return [self._failed("rewrap.failed", now_ms, error)]
        events = [
            self._publish(each.account, self.identity.sign_event(each)) for each in made.events
        ]
        return events + list(self._stuck(made.stuck, now_ms))

    def rotate_share_keys(self, now_ms: int) -> list[Outgoing]:
        """Rotate the share key if due, erase old ones, and announce the current one in portions.

        There is no share key until an account needs one. Clients that wait for the announcement
        use the former key, which opens for a day after its rotation.
        """
        self.shares.erase(now_ms)
        known = (self.vaults.registry.record_count, self.shares.version)
        # Looking for accounts is skipped while neither registry nor share key changed.
        if now_ms < self._rotate_after_ms or (
            known == self._announced and not (known[1] and self.shares.due(now_ms))
        ):
            return []
        accounts = self._sealing_accounts()
        try:
            if accounts and (self.shares.due(now_ms) or self._is_distrusted(accounts)):
                # Changes the slot's memory, which is durable only with the caller's commit.
                self.shares.rotate(self.vaults.registry.org, self.identity.keyid, now_ms)
        except CustodyError as error:
            self._rotate_after_ms = now_ms + RETRY_MS
            return [self._failed("share.key.failed", now_ms, error)]
        announced = list(islice(chain.from_iterable(map(self._announce, accounts)), ANNOUNCED_MAX))
        if len(announced) < ANNOUNCED_MAX:
            self._announced = (self.vaults.registry.record_count, self.shares.version)
        return announced

    def drain_records(self, now_ms: int) -> list[Outgoing]:
        """Return the audit records of custody since the last call."""
        return self.records.records(self.keychain.drain_failures(), now_ms)

    def _sealing_accounts(self) -> list[str]:
        """Return this signer's open accounts whose clients seal shares or values to the signer.

        They have a vault with client shares or a vault of secrets, or claimed the address of an
        imported key. A vault can be registered before its account is opened.
        """
        registry = self.vaults.registry
        vaults = (
            v for v in registry.vaults.values() if PLANS[v.mode].needs_client or not v.holds_keys
        )
        named = {vault.account for vault in vaults} | set(registry.claims.values())
        return sorted(name for name in named & registry.accounts if self.owns(name))

    def _is_distrusted(self, accounts: Sequence[str]) -> bool:
        """Return whether the current share key was announced under a revoked key of this signer.

        Clients do not seal to such a key, and a version is announced only once, so the next
        version must be made.
        """
        vault, registry, current = self.vaults.vault, self.vaults.registry, self.shares.current
        found = ((name, vault.share_keys.get(name)) for name in accounts)
        announced = [name for name, key in found if key and current and _is_same(key, current)]
        return any(vault.sealed_for(name, registry) is None for name in announced)

    def _announce(self, account: str) -> Iterator[Outgoing]:
        current, newest = self.shares.current, self.vaults.vault.share_keys.get(account)
        if current is None or (newest and _is_same(newest, current)):
            return
        event = ShareKeyAnnounced(
            id=announcement_id(account, current.version, current.public_key),
            account=account,
            version=current.version,
            public_key=current.public_key,
            made_at_ms=current.made_at_ms,
            signer=self.identity.keyid,
        )
        yield self._publish(account, self.identity.sign_event(event))

    def _stuck(self, stuck: Sequence[Stuck], now_ms: int) -> Iterator[Outgoing]:
        more = len(stuck) - STUCK_REPORTED_MAX
        for number, (place, why) in enumerate(stuck[:STUCK_REPORTED_MAX], 1):
            source, subject = f"rewrap/{place}/{now_ms}", input_digest(str(place).encode())
            detail = f"{place}, stays under a former key: {why}"
            if number == STUCK_REPORTED_MAX and more > 0:
                detail = f"{more} more like this one; {detail}"
            actor = self.identity.keyid
            yield audited("rewrap.failed", source, subject, detail, actor=actor, at_ms=now_ms)

    def _failed(self, action: AuditAction, now_ms: int, error: CustodyError) -> Outgoing:
        source, subject = f"{action}/{now_ms}", input_digest(action.encode())
        actor = self.identity.keyid
        return audited(action, source, subject, str(error), actor=actor, at_ms=now_ms)

    def _publish(self, account: str, signed: bytes) -> Outgoing:
        """Return an event of this signer, after loading it as every reader will.

        The register thus counts it before the commit; if that commit fails, the process ends.
        """
        self.vaults.vault.load(signed, self.vaults.registry)
        return Outgoing(Topic.VAULT, account, signed)


def _is_same(announced: ShareKeyAnnounced, current: SealedShareKey) -> bool:
    return announced.public_key == current.public_key
