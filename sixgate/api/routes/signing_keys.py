"""``/v1/agents/{agent_id}/signing-keys``: people provision, rotate and deactivate keys."""

from fastapi import APIRouter, Response

from schemas.registry.key_chains import KeyChain
from schemas.registry.networks import key_chain_of
from sixgate.api import key_orders
from sixgate.api.agent_views import known_agent
from sixgate.api.callers import AgentOrPerson, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.key_orders import KeyOwner
from sixgate.api.models import signing_keys as models
from sixgate.api.problems import Problem, answers, not_found
from sixgate.api.services import Services

router = APIRouter(
    prefix="/v1/agents/{agent_id}/signing-keys", tags=["signing keys"], route_class=JsonRoute
)


@router.post("", status_code=201, dependencies=[NewWork])
def create(
    agent_id: str, request: models.NewKeyRequest, caller: PersonCaller, services: ServicesOf
) -> models.KeyReply:
    """Provision an agent's key of a chain inside the signer; the private key never leaves it."""
    key = key_orders.provision(services, _owner(services, agent_id, request.chain))
    record(services, caller, "signing_key.create", f"key:{agent_id}/{key.chain}")
    return key


@router.get("")
def list_keys(agent_id: str, _caller: AgentOrPerson, services: ServicesOf) -> models.KeyList:
    """List an agent's keys, the newest version of each."""
    account = known_agent(services, agent_id).account
    owners = [KeyOwner(account, chain, agent_id) for chain in KeyChain]
    keys = key_orders.list_keys(services, owners)
    return models.KeyList(signing_keys=keys, keys=keys)


@router.post("/{chain}/rotate")
def rotate(
    agent_id: str, chain: str, caller: PersonCaller, services: ServicesOf
) -> models.KeyReply:
    """Rotate a key: the new version has another address, and the former one no longer signs."""
    key = key_orders.rotate(services, _owner(services, agent_id, _chain(services, chain)))
    record(services, caller, "signing_key.rotate", f"key:{agent_id}/{key.chain}")
    return key


@router.delete("/{chain}", status_code=204)
def deactivate(agent_id: str, chain: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Deactivate a key: it no longer signs."""
    owner = _owner(services, agent_id, _chain(services, chain))
    key_orders.deactivate(services, owner)
    record(services, caller, "signing_key.deactivate", f"key:{agent_id}/{owner.chain}")
    return Response(status_code=204)


@router.get("/{chain}/balance", responses=answers(501))
def balance(
    agent_id: str, chain: str, _caller: AgentOrPerson, services: ServicesOf
) -> models.BalanceReply:
    """Return the balance of a key's address; 501 until chains are read from nodes."""
    key_orders.find(services, _owner(services, agent_id, _chain(services, chain)))
    raise Problem(
        501, "not_supported", "Sixgate reads no balances yet: ask a node for that of the address."
    )


def _owner(services: Services, agent_id: str, chain: KeyChain) -> KeyOwner:
    return KeyOwner(known_agent(services, agent_id).account, chain, agent_id)


def _chain(services: Services, name: str) -> KeyChain:
    chains = list(services.backend.read.registered.chains.values())  # a copy: see find_chain
    networks = [known for chain in chains for known in (chain.name, *chain.aliases)]
    found = key_chain_of(name, networks)
    if found is None:
        raise not_found("chain", name)
    return found
