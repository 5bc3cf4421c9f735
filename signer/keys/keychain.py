"""Keychain: creates and seals signing keys, and opens them for bounded time and uses."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.fields import X25519PublicKey
from schemas.intents.intent_parts import ClientShare
from schemas.keys.curves import CURVES
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.key_chains import SIGNING_CHAINS, KeyChain
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault, VaultId
from signer.custody import curves
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.context import SecretContext
from signer.custody.curves import new_secret
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import SealedSecret
from signer.custody.errors import CorruptError, ProviderFailure
from signer.custody.handle import AddressHandle, KeyHandle
from signer.custody.keyring import Handle, Keyring, KeyringLimits, RingKey
from signer.custody.opening import open_sealed
from signer.custody.sealing import Holders
from signer.keys.descriptor import KeyDescriptor
from signer.keys.key_register import KeyRegister
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.client_shares import (
    NoShareBoxes,
    ShareBoxes,
    require_client,
    seal_for_client,
    share_info,
)
from signer.keys.vaults.sealing import seal_in_vault, secret_context, vault_holders, version_id

LIMITS = KeyringLimits(handles_max=1024, idle_ms_max=60_000, age_ms_max=600_000, uses_max=1_000_000)
FAILURES_MAX = 1024


class KeyName(NamedTuple):
    """The cache name of an open key: one that an agent's share opened serves no other agent.

    ``agent`` and ``share`` are empty if the vault's mode has no client share.
    """

    account: str
    path: str
    version: int
    agent: str = ""
    share: ClientShare | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create: account, path, version, chain and vault.

    ``share_for`` is the client's public key, if the vault's mode has a client share.
    """

    account: str
    path: str
    version: int
    chain: KeyChain
    vault: str = AGENT_KEYS
    share_for: X25519PublicKey | None = None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was created and sealed, for its answer.

    ``client_share`` is the client share, sealed for the client.
    """

    key: NewKey
    vault: Vault
    public_key: bytes
    sealed: SealedSecret = field(repr=False)
    kms_key: str
    client_share: bytes | None = field(default=None, repr=False)


class Keychain:
    """The keys of all accounts, opened when they are needed and closed soon after.

    ``holders`` are all configured key holders; a vault selects its own providers.
    """

    def __init__(
        self,
        holders: Holders,
        registry: Registry,
        keys: KeyRegister,
        random_bytes: RandomBytes,
        clock_ms: Callable[[], int],
    ) -> None:
        self._holders = holders
        self._registry = registry
        self._keys = keys
        self._random_bytes = random_bytes
        self._keyring = Keyring(self._open, clock_ms, LIMITS)
        self._failures: deque[tuple[VersionId, ProviderFailure]] = deque(maxlen=FAILURES_MAX)
        self.share_boxes: ShareBoxes = NoShareBoxes()

    @property
    def vaults(self) -> Mapping[VaultId, Vault]:
        """The vaults of all accounts."""
        return self._registry.vaults

    def use(
        self, key: KeyDescriptor, agent: str = "", share: ClientShare | None = None
    ) -> RingKey[KeyName]:
        """Return the key once it is open; raise ``CustodyError``.

        If the vault's mode has a client share, ``share`` is the one that ``agent`` sent for this
        use. A key that another share opened does not count as open.
        """
        version = (key.account, key.path, key.version)
        with_client = PLANS[self._vault(key.account, key.vault).mode].needs_client
        return self._keyring.key(
            KeyName(*version, agent, share) if with_client else KeyName(*version)
        )

    def forget(self, key: KeyDescriptor) -> None:
        """Close a key that may no longer be used, for all agents."""
        version = (key.account, key.path, key.version)
        self._keyring.drop(lambda name: name[:3] == version)

    def drain_failures(self) -> list[tuple[VersionId, ProviderFailure]]:
        """Return and clear the providers that failed while the others sufficed to open a key."""
        drained = list(self._failures)
        self._failures.clear()
        return drained

    def generate(self, key: NewKey) -> MadeKey:
        """Generate and seal a key; raises ``CustodyError``, then there is no key."""
        with wiping(new_secret(CURVES[key.chain], self._random_bytes)) as secret:
            return self.seal_key(key, secret)

    def seal_key(self, key: NewKey, secret: bytearray) -> MadeKey:
        """Seal a secret, which the caller wipes; raises ``CustodyError``, then there is no key.

        In a mode with a client share, raises ``ClientShareMissingError`` unless ``share_for`` is
        set.
        """
        vault = self._vault(key.account, key.vault)
        require_client(vault, key.share_for)
        context = secret_context(self._registry.org, vault, key.path, key.version)
        public_key = curves.public_key(CURVES[key.chain], secret)
        wrapped_kek = self._keys.wrappings.wrapped_kek(vault.id)
        sealing = seal_in_vault(
            vault, self._holders, wrapped_kek, context, secret, self._random_bytes
        )
        wiped_after = wiping(sealing.client_share) if sealing.client_share else nullcontext()
        with wiped_after as share:
            # Open it once as later: from now on, money may be sent to the address of this key.
            self._open_handle(key.chain, context, sealing.sealed, share).close()
            sealed_for_client = seal_for_client(key.share_for, context, share)
        return MadeKey(
            key, vault, public_key, sealing.sealed, self._kms_key(vault), sealed_for_client
        )

    def close_expired(self) -> None:
        """Close keys that have been idle or open too long."""
        self._keyring.close_expired()

    def close(self) -> None:
        """Close every key."""
        self._keyring.close()

    def _open(self, name: KeyName) -> Handle:
        key = self._keys.version(name.account, name.path, name.version)
        sealed = self._keys.wrappings.sealed(key.version_id) if key else None
        if key is None or sealed is None:
            raise CorruptError(f"Version {name.version} of the key at {name.path} does not exist.")
        vault = self._vault(name.account, key.vault)
        context = secret_context(self._registry.org, vault, name.path, name.version)
        if name.share is None:
            return self._open_handle(key.chain, context, sealed, None)
        info = share_info(name.share, context, name.agent)
        with wiping(self.share_boxes.open(name.share, info)) as share:
            return self._open_handle(key.chain, context, sealed, share)

    def _open_handle(
        self, chain: KeyChain, context: SecretContext, sealed: SealedSecret, share: bytearray | None
    ) -> Handle:
        vault = self._vault(context.account, context.vault)
        opening = open_sealed(vault_holders(vault, self._holders), context, sealed, share)
        failed = version_id(context)
        self._failures.extend((failed, failure) for failure in opening.failures)
        if chain in SIGNING_CHAINS:
            return KeyHandle(opening.secret)
        return AddressHandle(CURVES[chain], opening.secret)

    def _kms_key(self, vault: Vault) -> str:
        """Return the ids of the root keys that wrap the keys of a vault."""
        providers = vault_holders(vault, self._holders).providers
        return ",".join(each.kms.key_id for each in providers) or self._holders.root.key_id

    def _vault(self, account: str, name: str) -> Vault:
        vault = self._registry.vaults.get((account, name))
        if vault is None or not vault.holds_keys:
            raise CorruptError(f"{account} has no vault {name} for keys: register it.")
        return vault
