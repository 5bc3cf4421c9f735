"""Orders of signing keys through the desk, for agents' keys and for treasury wallets."""

from typing import NamedTuple

from coincurve import PublicKey

from schemas.custody import AGENT_KEYS, TREASURY_KEYS
from schemas.key_chains import CURVES, Curve, KeyChain
from signer.keys.descriptor import KeyDescriptor
from signer.keys.paths import agent_key_path
from sixgate.api.models.base import timestamp
from sixgate.api.models.signing_keys import KeyReply
from sixgate.api.problems import Problem, not_found
from sixgate.api.services import Services
from sixgate.api.views import shown_address
from sixgate.authoring import operator
from sixgate.authoring.operator import KeyTarget
from sixgate.gateway.client_shares import ShareRecipient


class KeyOwner(NamedTuple):
    """Whose key of which chain: an agent's own, or the treasury's if there is no agent."""

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


def find(services: Services, owner: KeyOwner) -> KeyDescriptor:
    """Return the newest version of a key; raise a 404 problem if there is none."""
    found = services.backend.read.vaults.keys.find(owner.account, owner.path)
    if found is None:
        raise not_found("signing key", owner.chain)
    return found


def provision(services: Services, owner: KeyOwner) -> KeyReply:
    """Make a key, or the next version of a deactivated one; raise 409 if there is an active one."""
    found = services.backend.read.vaults.keys.find(owner.account, owner.path)
    if found is not None and found.active:
        holder = f"Agent {owner.agent}" if owner.agent else "The treasury"
        detail = f"{holder} already has a key for {owner.chain}: rotate it."
        raise Problem(409, "key_exists", detail)
    if found is not None:
        return rotate(services, owner)
    recipient = _recipient(services, owner)
    target = owner.target(recipient.share_for)
    answer = operator.provision(services.desk.admin(), target)
    return key_reply(find(services, owner), owner.agent, recipient.opened(answer))


def rotate(services: Services, owner: KeyOwner) -> KeyReply:
    """Make the next version of a key, with another address."""
    found, recipient = find(services, owner), _recipient(services, owner)
    target = owner.target(recipient.share_for)
    answer = operator.rotate(services.desk.admin(), target, found.version)
    return key_reply(find(services, owner), owner.agent, recipient.opened(answer))


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
    return KeyReply(
        agent_id=agent_id,
        chain=key.chain,
        public_key=f"0x{public_key.hex()}",
        address=shown_address(key),
        curve="secp256k1" if curve is Curve.SECP256K1 else "Ed25519",
        key_version=key.version,
        is_active=key.active,
        created_at=timestamp(key.provisioned.provisioned_at_ms),
        custody="server" if mode == "envelope" else mode,
        client_share=client_share,
    )


def _recipient(services: Services, owner: KeyOwner) -> ShareRecipient:
    registered = services.backend.read.registered
    vault = registered.vaults.get((owner.account, owner.vault))
    if vault is None:
        detail = "The organisation has no tier, so its treasury has no custody mode and no wallets."
        raise Problem(409, "tier_missing", detail)
    return ShareRecipient(vault, registered.org)
