"""Orders of signing keys through the desk, for agents' keys and for treasury wallets."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from coincurve import PublicKey

from schemas.keys.curves import CURVES, Curve
from schemas.registry.custody import AGENT_KEYS, TREASURY_KEYS
from schemas.registry.key_chains import KeyChain
from signer.keys.addresses.derivation import display_address
from signer.keys.descriptor import KeyDescriptor
from signer.keys.paths import agent_key_path
from sixgate.api import Json
from sixgate.api.models.base import timestamp
from sixgate.api.models.signing_keys import KeyReply
from sixgate.api.problems import Problem, not_found
from sixgate.api.services import Services
from sixgate.authoring import operator
from sixgate.authoring.operator import KeyTarget
from sixgate.gateway.client_shares import ShareRecipient


class KeyOwner(NamedTuple):
    """The owner of a key, and its chain; the owner is the treasury if ``agent`` is None."""

    account: str
    chain: KeyChain
    agent: str | None

    @property
    def path(self) -> str:
        """The key's path."""
        if self.agent is None:
            return f"wallets/treasury-{self.chain}"
        return agent_key_path(self.agent, self.chain)

    @property
    def vault(self) -> str:
        """The name of the key's vault."""
        return TREASURY_KEYS if self.agent is None else AGENT_KEYS

    def target(self, share_for: str | None = None) -> KeyTarget:
        """Return the target of an order."""
        return KeyTarget(self.account, self.path, self.chain, self.vault, share_for)


def newest(services: Services, owner: KeyOwner) -> KeyDescriptor | None:
    """Return the newest version of a key, active or not, or None."""
    return services.backend.read.vaults.keys.find(owner.account, owner.path)


def find(services: Services, owner: KeyOwner) -> KeyDescriptor:
    """Return the newest version of a key; raise a 404 problem if there is none."""
    found = newest(services, owner)
    if found is None:
        raise not_found("signing key", owner.chain)
    return found


def list_keys(services: Services, owners: Iterable[KeyOwner]) -> list[KeyReply]:
    """Return the newest version of each key that exists, as the API shows it."""
    found = ((newest(services, owner), owner) for owner in owners)
    return [key_reply(key, owner.agent) for key, owner in found if key is not None]


def provision(services: Services, owner: KeyOwner) -> KeyReply:
    """Make a key, or the next version of a deactivated one; raise 409 if there is an active one."""
    found = newest(services, owner)
    if found is not None and found.active:
        holder = f"Agent {owner.agent}" if owner.agent else "The treasury"
        detail = f"{holder} already has a key for {owner.chain}: rotate it."
        raise Problem(409, "key_exists", detail)
    if found is not None:
        return rotate(services, owner)
    admin = services.desk.admin()
    return _ordered(services, owner, lambda target: operator.provision(admin, target))


def rotate(services: Services, owner: KeyOwner) -> KeyReply:
    """Make the next version of a key, with another address."""
    admin, version = services.desk.admin(), find(services, owner).version
    return _ordered(services, owner, lambda target: operator.rotate(admin, target, version))


def deactivate(services: Services, owner: KeyOwner) -> None:
    """Deactivate a key; it signs nothing from then on."""
    found = find(services, owner)
    if found.active:
        operator.deactivate(services.desk.admin(), owner.target(), found.version)


def key_reply(
    key: KeyDescriptor, agent_id: str | None, client_share: str | None = None
) -> KeyReply:
    """Return a key as the API shows it."""
    curve = CURVES[key.chain]
    public_key = bytes.fromhex(key.provisioned.public_key[2:])
    if curve is Curve.SECP256K1:
        public_key = PublicKey(public_key).format(compressed=False)
    mode = key.provisioned.mode
    public_key_hex = f"0x{public_key.hex()}"
    return KeyReply(
        id=key.path,
        agent_id=agent_id,
        chain=key.chain,
        public_key=public_key_hex,
        public_key_hex=public_key_hex,
        address=display_address(key.chain, key.address),
        curve="secp256k1" if curve is Curve.SECP256K1 else "Ed25519",
        key_version=key.version,
        is_active=key.active,
        created_at=timestamp(key.provisioned.provisioned_at_ms),
        custody="server" if mode == "envelope" else mode,
        client_share=client_share,
    )


def _ordered(services: Services, owner: KeyOwner, order: Callable[[KeyTarget], Json]) -> KeyReply:
    """Send an order, and return the key it made with its client share, if its mode has one."""
    registered = services.backend.read.registered
    vault = registered.vaults.get((owner.account, owner.vault))
    if vault is None:
        detail = "The organisation has no treasury: only sixgate init --tier makes one."
        raise Problem(409, "tier_missing", detail)
    recipient = ShareRecipient(vault, registered.org)
    answer = order(owner.target(recipient.share_for))
    return key_reply(find(services, owner), owner.agent, recipient.opened(answer))
