"""From a key's descriptor to signatures: keys are opened when needed, for bounded time and uses."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.client_share import ClientShare
from schemas.custody import AGENT_KEYS
from schemas.fields import X25519PublicKey
from schemas.key_chains import CURVES, SIGNING, KeyChain
from signer.custody import curves
from signer.custody.address_handle import AddressHandle
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.context import SecretContext
from signer.custody.curves import new_secret
from signer.custody.envelope import SealedSecret
from signer.custody.errors import CorruptError
from signer.custody.failures import ProviderFailure
from signer.custody.handle import KeyHandle
from signer.custody.keyring import Handle, Keyring, KeyringLimits, RingKey
from signer.custody.opening import open_sealed
from signer.custody.sealing import Holders
from signer.keys.descriptor import KeyDescriptor
from signer.keys.register import KeyRegister
from signer.registry import Registry
from signer.vaults.client_shares import (
    NoShareBoxes,
    ShareBoxes,
    require_client,
    seal_for_client,
    share_info,
)
from signer.vaults.sealing import seal_in_vault, secret_context, vault_holders, version_id
from signer.vaults.vault import Vault, VaultId, VersionId

LIMITS = KeyringLimits(handles_max=1024, idle_ms_max=60_000, age_ms_max=600_000, uses_max=1_000_000)
FAILURES_MAX = 1024


class KeyName(NamedTuple):
    """A key as it is opened, and by whose share: what one agent's share opened opens for no other.

    ``agent`` and ``share`` stay empty where the vault's mode has no client's share.
    """

    account: str
    path: str
    version: int
    agent: str = ""
    share: ClientShare | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """Which key is to be made: whose, where, of which version and chain.

    ``share_for`` is the client's public key, where the vault's mode has a client's share.
    """

    account: str
    path: str
    version: int
    chain: KeyChain
    vault: str = AGENT_KEYS
    share_for: X25519PublicKey | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was sealed, as its answer will tell it.

    ``client_share`` is what the client must keep, sealed for it.
    """

    key: NewKey
    vault: Vault
    public_key: bytes
    sealed: SealedSecret = field(repr=False)
    kms_key: str
    client_share: bytes | None = field(default=None, repr=False)


class Keychain:
    """The keys of all accounts, opened when they are needed and closed soon after.

    ``holders`` are all providers that this process may ask; a vault says which of them are its own.
    """

    def __init__(
        self,
        holders: Holders,
        registry: Registry,
        keys: KeyRegister,
        random_bytes: RandomBytes,
        clock_ms: Callable[[], int],
    ) -> None:
        self._held_by = holders
        self._registry = registry
        self._keys = keys
        self._random_bytes = random_bytes
        self._keyring = Keyring(self._open, clock_ms, LIMITS)
        self._failures: deque[tuple[VersionId, ProviderFailure]] = deque(maxlen=FAILURES_MAX)
        self._openings = 0
        self.share_boxes: ShareBoxes = NoShareBoxes()

    @property
    def vaults(self) -> Mapping[VaultId, Vault]:
        """The vaults of all accounts."""
        return self._registry.vaults

    def use(
        self, key: KeyDescriptor, agent: str = "", share: ClientShare | None = None
    ) -> RingKey[KeyName]:
        """Return the key once it is proven to open; raise ``CustodyError``.

        Where the vault's mode has a client's share, ``share`` is the one that ``agent`` brought
        for this use. A key that is open for another share is not this one.
        """
        place = (key.account, key.path, key.version)
        with_client = self._vault(key.account, key.vault).plan.needs_client
        return self._keyring.key(KeyName(*place, agent, share) if with_client else KeyName(*place))

    def forget(self, key: KeyDescriptor) -> None:
        """Close a key that may no longer be used, for whomever it is open."""
        place = (key.account, key.path, key.version)
        self._keyring.drop(lambda name: name[:3] == place)

    def openings(self) -> int:
        """Count how often holders were asked to open a key."""
        return self._openings

    def drain_failures(self) -> list[tuple[VersionId, ProviderFailure]]:
        """Return, once, which providers failed while a key was opened nevertheless."""
        drained = list(self._failures)
        self._failures.clear()
        return drained

    def generate(self, key: NewKey) -> MadeKey:
        """Make a key inside and seal it; raises ``CustodyError``, then there is no key."""
        with wiping(new_secret(CURVES[key.chain], self._random_bytes)) as secret:
            return self.take_in(key, secret)

    def take_in(self, key: NewKey, secret: bytearray) -> MadeKey:
        """Seal a secret, which the caller wipes; raises ``CustodyError``, then there is no key.

        In a mode with a client's share, ``ClientShareMissingError`` where nobody is to get it.
        """
        vault = self._vault(key.account, key.vault)
        require_client(vault, key.share_for)
        context = secret_context(self._registry.org, vault, key.path, key.version)
        public_key = curves.public_key(CURVES[key.chain], secret)
        wrapped_kek = self._keys.wrapped_kek(*vault.id)
        sealing = seal_in_vault(
            vault, self._held_by, wrapped_kek, context, secret, self._random_bytes
        )
        lent = wiping(sealing.client_share) if sealing.client_share else nullcontext()
        with lent as share:
            # As it will be opened: whoever pays to an address relies on its key.
            self._handle(key.chain, context, sealing.sealed, share).close()
            handed = seal_for_client(key.share_for, context, share)
        return MadeKey(key, vault, public_key, sealing.sealed, self._kms_key(vault), handed)

    def close_expired(self) -> None:
        """Close keys that have been idle or open too long."""
        self._keyring.close_expired()

    def close(self) -> None:
        """Close every key."""
        self._keyring.close()

    def _open(self, name: KeyName) -> Handle:
        self._openings += 1
        key = self._keys.version(name.account, name.path, name.version)
        sealed = self._keys.wrappings.sealed(key.place) if key else None
        if key is None or sealed is None:
            raise CorruptError(f"There is no version {name.version} of the key at {name.path}.")
        vault = self._vault(name.account, key.vault)
        context = secret_context(self._registry.org, vault, name.path, name.version)
        if name.share is None:
            return self._handle(key.chain, context, sealed, None)
        info = share_info(name.share, context, name.agent)
        with wiping(self.share_boxes.open(name.share, info)) as share:
            return self._handle(key.chain, context, sealed, share)

    def _handle(
        self, chain: KeyChain, context: SecretContext, sealed: SealedSecret, share: bytearray | None
    ) -> Handle:
        vault = self._vault(context.account, context.vault)
        opening = open_sealed(vault_holders(vault, self._held_by), context, sealed, share)
        place = version_id(context)
        self._failures.extend((place, failure) for failure in opening.failures)
        if chain in SIGNING:
            return KeyHandle(opening.secret)
        return AddressHandle(CURVES[chain], opening.secret)

    def _kms_key(self, vault: Vault) -> str:
        """Name the root keys that a key in a vault is under."""
        providers = vault_holders(vault, self._held_by).providers
        return ",".join(each.kms.key_id for each in providers) or self._held_by.root.key_id

    def _vault(self, account: str, name: str) -> Vault:
        vault = self._registry.vaults.get((account, name))
        if vault is None or not vault.holds_keys:
            raise CorruptError(f"{account} has no vault {name} for keys; register it.")
        return vault
