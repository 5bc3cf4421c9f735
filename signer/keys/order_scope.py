"""Orders of scoped admins: which keys and secrets they may order. Pure."""

from schemas.keys.key_events import AnyOrder
from schemas.keys.vault_events import SecretOrder, VaultKeyOrder, VaultOrder
from schemas.registry.records import ScopedAdminSet
from signer.core.registry.registered import Registered
from signer.core.registry.scope import SHARED_PATHS, account_problem, in_scope, outside_user


def key_order_problem(registered: Registered, scope: ScopedAdminSet, order: AnyOrder) -> str | None:
    """Return why a scoped admin may not give a key order now, or None.

    The key is an agent's in scope, or the account's (``keys/``, ``wallets/``), and no outside agent
    may sign with it: a rotation or import would replace the key under such an agent.
    """
    if problem := account_problem(scope, order.account):
        return problem
    if not order.path.startswith(SHARED_PATHS) and not _of_agent_in_scope(registered, scope, order):
        return f"{order.path} belongs to no agent of gateway {scope.gateway} in its scope"
    user = outside_user(registered, scope, order.account, order.path)
    return f"agent {user}, which is not in its scope, may use {order.path}" if user else None


def vault_order_problem(scope: ScopedAdminSet, order: VaultOrder) -> str | None:
    """Return why a scoped admin may not give a vault order, or None.

    It may order secrets, and new vault keys (KEKs). Recoveries and changes of root keys need a full
    admin.
    """
    if problem := account_problem(scope, order.account):
        return problem
    rotation = isinstance(order, VaultKeyOrder) and order.change == "kek"
    if rotation or isinstance(order, SecretOrder):
        return None
    return "only a full admin may order recoveries and changes of root keys"


def _of_agent_in_scope(registered: Registered, scope: ScopedAdminSet, order: AnyOrder) -> bool:
    kind, name, *_ = order.path.split("/")
    agent = registered.agents.get(name)
    own = agent is not None and agent.account == order.account and in_scope(scope, agent)
    return kind == "agents" and own
