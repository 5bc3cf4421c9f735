"""What a signer does for its vaults when nobody waits for it: rotations, share keys, records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from schemas.audit import AuditAction, audited, input_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from schemas.vault_events import ShareKeyAnnounced, announcement_id
from signer.custody.errors import CustodyError
from signer.custody.share_key import SealedShareKey
from signer.custody_records import CustodyRecords
from signer.keys.keychain import Keychain
from signer.share_key_rotation import ShareKeyRotation
from signer.signatures import Ed25519Signer
from signer.vaults.order_execution import VaultOrderExecutor
from signer.vaults.rotation import Stuck

REWRAPS_MAX = 256
ANNOUNCED_MAX = 256
AGAIN_MS = 60_000
STUCK_TOLD_MAX = 16


@dataclass(slots=True)
class CustodyMaintenance:
    """Each does some of its work at a time, and waits a while after a KMS that failed.

    ``owns`` tells whether an account is one that this signer decides for.
    """

    identity: Ed25519Signer
    vaults: VaultOrderExecutor
    keychain: Keychain
    shares: ShareKeyRotation
    records: CustodyRecords
    owns: Callable[[str], bool] = bool  # whatever has a name
    _rewrap_after_ms: int = 0
    _turn_after_ms: int = 0
    _announced: tuple[int, int | None] = (-1, None)

    def do(self, now_ms: int) -> list[Outgoing]:
        """Do some of everything; return what to publish about it."""
        return self.turn_shares(now_ms) + self.rewrap(now_ms) + self.told(now_ms)

    def rewrap(self, now_ms: int) -> list[Outgoing]:
        """Bring on what a change of a vault's key has yet to come to, some of it at a time.

        While the root does not answer it waits, and every version opens as it did.
        """
        if now_ms < self._rewrap_after_ms:
            return []
        try:
            made = self.vaults.rewraps(self.identity.keyid, now_ms, REWRAPS_MAX)
        except CustodyError as error:
            self._rewrap_after_ms = now_ms + AGAIN_MS
            return [self._failed("rewrap.failed", now_ms, error)]
        said = [self._said(each.account, self.identity.sign_event(each)) for each in made.events]
        return said + list(self._stuck(made.stuck, now_ms))

    def turn_shares(self, now_ms: int) -> list[Outgoing]:
        """Let share keys take turns, and announce the current one to some to whom it is news.

        There is none before an account has something to be sealed for it. Those who wait for it
        have the former one, which opens for a day after its turn.
        """
        self.shares.erase(now_ms)
        known = (self.vaults.registry.sequence, self.shares.version)
        if now_ms < self._turn_after_ms or (
            known == self._announced and not (known[1] and self.shares.due(now_ms))
        ):
            return []
        accounts = self._sealing()
        try:
            if accounts and (self.shares.due(now_ms) or self._forsaken(accounts)):
                self.shares.turn(self.vaults.registry.org, self.identity.keyid, now_ms)
        except CustodyError as error:
            self._turn_after_ms = now_ms + AGAIN_MS
            return [self._failed("share.key.failed", now_ms, error)]
        told = list(islice(chain.from_iterable(map(self._announce, accounts)), ANNOUNCED_MAX))
        if len(told) < ANNOUNCED_MAX:
            self._announced = (self.vaults.registry.sequence, self.shares.version)
        return told

    def told(self, now_ms: int) -> list[Outgoing]:
        """Return the records of what custody did since they were asked for last."""
        return self.records.told(self.keychain.drain_failures(), now_ms)

    def _sealing(self) -> list[str]:
        """Return this signer's open accounts for which something is sealed.

        Those with a vault in which clients hold shares, or one of secrets, and those that claimed
        the address of a key from outside. A vault may be set before its account is opened.
        """
        registry = self.vaults.registry
        vaults = (v for v in registry.vaults.values() if v.plan.needs_client or not v.holds_keys)
        named = {vault.account for vault in vaults} | set(registry.claims.values())
        return sorted(name for name in named & registry.accounts if self.owns(name))

    def _forsaken(self, accounts: Sequence[str]) -> bool:
        """Tell whether an account was told of the current key by a key this signer has no more.

        Nobody seals for such a one, and no number is told twice: it is time for the next.
        """
        vault, registry, current = self.vaults.vault, self.vaults.registry, self.shares.current
        found = ((name, vault.share_keys.get(name)) for name in accounts)
        told = [name for name, key in found if key and current and _same(key, current)]
        return any(vault.sealed_for(name, registry) is None for name in told)

    def _announce(self, account: str) -> Iterator[Outgoing]:
        current, told = self.shares.current, self.vaults.vault.share_keys.get(account)
        if current is None or (told and _same(told, current)):
            return
        event = ShareKeyAnnounced(
            id=announcement_id(account, current.version, current.public_key),
            account=account,
            version=current.version,
            public_key=current.public_key,
            made_at_ms=current.made_at_ms,
            signer=self.identity.keyid,
        )
        yield self._said(account, self.identity.sign_event(event))

    def _stuck(self, stuck: Sequence[Stuck], now_ms: int) -> Iterator[Outgoing]:
        more = len(stuck) - STUCK_TOLD_MAX
        for number, (place, why) in enumerate(stuck[:STUCK_TOLD_MAX], 1):
            source, subject = f"rewrap/{place}/{now_ms}", input_digest(str(place).encode())
            detail = f"{place}, stays under a former key: {why}"
            if number == STUCK_TOLD_MAX and more > 0:
                detail = f"{more} more besides this one; {detail}"
            actor = self.identity.keyid
            yield audited("rewrap.failed", source, subject, detail, actor=actor, at_ms=now_ms)

    def _failed(self, action: AuditAction, now_ms: int, error: CustodyError) -> Outgoing:
        source, subject = f"{action}/{now_ms}", input_digest(action.encode())
        actor = self.identity.keyid
        return audited(action, source, subject, str(error), actor=actor, at_ms=now_ms)

    def _said(self, account: str, signed: bytes) -> Outgoing:
        """Take an event of our own as everybody will, and return it to be published."""
        self.vaults.vault.load(signed, self.vaults.registry)
        return Outgoing(Topic.VAULT, account, signed)


def _same(told: ShareKeyAnnounced, current: SealedShareKey) -> bool:
    return told.public_key == current.public_key
