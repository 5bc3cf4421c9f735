"""Vaults by the ids of the HTTP API, and what a caller may do in them."""

from dataclasses import dataclass, replace

from schemas.keys.secret_access import AccessReason, Operation
from schemas.keys.vault_events import SecretStored
from schemas.registry.records import VaultCreated
from signer.core.registry.vault import Vault
from signer.keys.access import KEY_KINDS, Access, Accessor, Allowed, Refused, Target, decide
from signer.keys.vaults.secret_register import target_of
from sixgate.api.callers import Caller
from sixgate.api.problems import Problem, not_found
from sixgate.api.services import Services
from sixgate.api_error import ApiError
from sixgate.authoring.secret_reader import SecretReader
from sixgate.authoring.vault_orders import VaultId
from sixgate.backends.ports import Secrets
from sixgate.gateway.vaults import VaultDetails

KEY_PREFIXES = ("keys/", "wallets/", "agents/")
"""Paths of keys: every secret below them counts as a private key, whatever its type."""


@dataclass(frozen=True, slots=True)
class KnownVault:
    """A vault; ``details`` is None unless people made it through the API.

    ``registered`` is False until the vault has a custody mode; ``vault`` then has the default one.
    """

    vault: Vault
    details: VaultDetails | None
    registered: bool

    @property
    def id(self) -> str:
        """The vault's id, which is its name in the registry."""
        return self.vault.name

    @property
    def order_id(self) -> VaultId:
        """The vault as orders name it."""
        return VaultId(*self.vault.id)


def find_vault(services: Services, caller: Caller, vault_id: str) -> KnownVault:
    """Return a vault; raise a 404 problem for one that does not exist or the caller may not see.

    An agent sees the vaults in which it has a grant, and of these only its ``vault_ids`` if people
    gave it any; people see all.
    """
    found = _known(services, vault_id)
    if found is None or not _sees(services, caller, vault_id):
        raise not_found("vault", vault_id)
    return found


def visible_vaults(services: Services, caller: Caller) -> list[KnownVault]:
    """Return the vaults that a caller may see: described ones, newest first, then all others."""
    described = [one.id for one in services.vaults.all()]
    account = services.account
    with services.backend.read.unchanged():
        named = [
            name for owner, name in services.backend.read.registered.vaults if owner == account
        ]
    others = sorted(set(named) - set(described))
    found = (_known(services, name) for name in (*described, *others))
    return [one for one in found if one and _sees(services, caller, one.id)]


def bound_vaults(services: Services, agent_id: str) -> list[str]:
    """Return the vaults that a client of the agent uses if its user names none.

    They are the agent's ``vault_ids``, or else the vault of its grants if there is only one.
    """
    details = services.agents.get(agent_id)
    if details is not None and details.vault_ids:
        return list(details.vault_ids)
    grants = services.backend.read.registered.access.get(agent_id, ())
    granted = {grant.vault for grant in grants if grant.effect == "allow"}
    return list(granted) if len(granted) == 1 and _known(services, *granted) else []


def ensure_registered(services: Services, known: KnownVault) -> KnownVault:
    """Register a vault with the default mode unless it is registered; return it as registered.

    Of two requests at once that choose modes, the registry accepts one.
    """
    if not known.registered:
        entry = VaultCreated(account=services.account, vault=known.id)
        try:
            services.desk.register([entry])
        except ApiError:
            if known.vault.id not in services.backend.read.registered.vaults:
                raise
    vault = services.backend.read.registered.vaults[known.vault.id]
    return KnownVault(vault, known.details, registered=True)


def is_empty(services: Services, vault: Vault) -> bool:
    """Return whether no version of any secret was ever stored in a vault."""
    return vault.id not in services.backend.read.vaults.secrets.used


def fingerprints_of(services: Services, vault: Vault) -> tuple[str, ...]:
    """Return the fingerprints of a vault's customer keys, newest last; empty without such a key."""
    return services.backend.read.registered.customer_keys.get(vault.id, ())


def history_of(services: Services, vault: Vault, path: str) -> tuple[SecretStored, ...]:
    """Return all versions of a secret, also deleted ones, oldest first."""
    return services.backend.read.vaults.secrets.history((*vault.id, path))


def access_to(
    services: Services,
    caller: Caller,
    vault: Vault,
    path: str,
    operation: Operation,
    *,
    strict: bool = True,
) -> Access:
    """Decide an operation of the caller on a secret; the strictest version decides.

    The signer and the secret service decide again, without ``strict``, which makes every secret at
    a path of a key count as a private key. This decision comes before anything that the gateway
    says about a secret, so that a caller without a grant learns nothing.
    """
    read = services.backend.read
    registered = read.registered
    accessor = Accessor(registered.agents[caller.id], registered.access.get(caller.id, ()))
    signs = read.vaults.keys.find(vault.account, path) is not None
    targets = [target_of(one, vault, signs=signs) for one in history_of(services, vault, path)]
    for target in targets or [Target(vault, path, "note", generated=False)]:
        judged = _as_key(target) if strict else target
        access = decide(accessor, judged, operation, services.now_ms())
        if isinstance(access, Refused):
            return access
    return Allowed()


def forbidden_access(refused: Refused) -> Problem:
    """Return the 403 for a refused access; its code is the reason."""
    return Problem(403, AccessReason(refused.reason).value, f"{refused.detail}.")


@dataclass(frozen=True, slots=True)
class _Custody:
    """The secret service as ``SecretReader`` calls it, for a request from one address."""

    secrets: Secrets
    client_ip: str

    def reading_key(self) -> dict[str, object]:
        return self.secrets.reading_key()

    def read_secret(self, request: str) -> dict[str, object]:
        return self.secrets.read_secret(request, self.client_ip)


def reader_for(services: Services, caller: Caller) -> SecretReader:
    """Return a reader that asks for the caller; the gateway signs its requests."""
    return SecretReader(
        api=_Custody(services.backend.secrets, caller.client_ip),
        org=services.org,
        account=services.account,
        key=services.gateway_key,
        clock_ms=services.now_ms,
        agent=caller.id,
    )


def _known(services: Services, vault_id: str) -> KnownVault | None:
    details = services.vaults.get(vault_id)
    vault = services.backend.read.registered.vaults.get((services.account, vault_id))
    if (details is None and vault is None) or (details is not None and details.deleted):
        return None
    default = Vault(services.account, vault_id, "envelope")
    return KnownVault(vault or default, details, registered=vault is not None)


def _sees(services: Services, caller: Caller, vault_id: str) -> bool:
    if caller.kind == "person":
        return True
    details = services.agents.get(caller.id)
    if details is not None and details.vault_ids and vault_id not in details.vault_ids:
        return False
    grants = services.backend.read.registered.access.get(caller.id, ())
    return any(grant.effect == "allow" and grant.vault in ("*", vault_id) for grant in grants)


def _as_key(target: Target) -> Target:
    """Return a target as a private key if its path is a key's."""
    if target.kind in KEY_KINDS or not target.path.startswith(KEY_PREFIXES):
        return target
    return replace(target, kind="private_key")
