"""From a key's descriptor to signatures: keys are opened when needed, for bounded time and uses."""

from collections.abc import Callable
from typing import TypeAlias

from schemas.canonical import event_id
from schemas.dsse import Envelope
from schemas.keys import KeyProvisioned, KeyRequest, request_digest
from schemas.topics import Topic
from signer.custody import secp256k1
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, new_vault_key, open_secret, seal_secret
from signer.custody.generate import new_secp256k1_secret
from signer.custody.handle import KeyHandle
from signer.custody.keyring import Keyring, KeyringLimits, RingKey
from signer.custody.kms.port import RootKms
from signer.ethereum.address import address_of
from signer.keys import KeyDescriptor, KeyRegister
from signer.registry import Registry

AGENT_KEYS = "__agent-keys"
FIRST_VERSION = 1
LIMITS = KeyringLimits(handles_max=1024, idle_ms_max=60_000, age_ms_max=600_000, uses_max=1_000_000)


KeyName: TypeAlias = tuple[str, str]


class Keychain:
    """The keys of all accounts, opened when they are needed and closed soon after."""

    def __init__(
        self,
        kms: RootKms,
        registry: Registry,
        keys: KeyRegister,
        random_bytes: RandomBytes,
        clock_ms: Callable[[], int],
    ) -> None:
        self._kms = kms
        self._registry = registry
        self._keys = keys
        self._random_bytes = random_bytes
        self._keyring = Keyring(self._open, clock_ms, LIMITS)

    def use(self, key: KeyDescriptor) -> RingKey[KeyName]:
        """Return the key once it is proven to open; raise ``CustodyError``."""
        return self._keyring.key((key.account, key.path))

    def provision(
        self, envelope: Envelope, request: KeyRequest, signer: str, now_ms: int
    ) -> KeyProvisioned:
        """Generate a key for a proven request; the answer still lacks ``signer``'s signature.

        Raises ``CustodyError``; then there is no key.
        """
        context = self._context(request.account, request.path, FIRST_VERSION)
        wrapped_kek = self._keys.wrapped_kek(request.account, AGENT_KEYS) or new_vault_key(
            self._kms, context.vault_context, self._random_bytes
        )
        with wiping(new_secp256k1_secret(self._random_bytes)) as secret:
            sealed = seal_secret(self._kms, wrapped_kek, context, secret, self._random_bytes)
            public_key = secp256k1.public_key(secp256k1.point_at(secret))
        return KeyProvisioned(
            id=event_id(Topic.VAULT, request_digest(envelope.body())),
            request=envelope,
            account=request.account,
            vault=AGENT_KEYS,
            path=request.path,
            version=FIRST_VERSION,
            address=f"0x{address_of(public_key).hex()}",
            public_key=f"0x{public_key.hex()}",
            kms_key=self._kms.key_id,
            wrapped_kek=f"0x{sealed.wrapped_kek.hex()}",
            wrapped_dek=f"0x{sealed.wrapped_dek.hex()}",
            ciphertext=f"0x{sealed.ciphertext.hex()}",
            provisioned_at_ms=now_ms,
            signer=signer,
        )

    def close_expired(self) -> None:
        """Close keys that have been idle or open too long."""
        self._keyring.close_expired()

    def close(self) -> None:
        """Close every key."""
        self._keyring.close()

    def _open(self, name: KeyName) -> KeyHandle:
        key = self._keys.by_path[name]
        answer = key.provisioned
        sealed = SealedSecret(
            wrapped_kek=bytes.fromhex(answer.wrapped_kek[2:]),
            wrapped_dek=bytes.fromhex(answer.wrapped_dek[2:]),
            ciphertext=bytes.fromhex(answer.ciphertext[2:]),
        )
        context = self._context(key.account, key.path, key.version)
        return KeyHandle(open_secret(self._kms, context, sealed))

    def _context(self, account: str, path: str, version: int) -> SecretContext:
        return SecretContext(
            org=self._registry.org,
            account=account,
            vault=AGENT_KEYS,
            path=path,
            version=version,
            mode="envelope",
        )
