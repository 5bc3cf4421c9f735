"""``/v1/chains`` and ``/v1/admin/chains``: the chain registry."""

import json
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import ValidationError

from schemas.canonical import malformed
from schemas.registry.records import ChainRemoved, ChainSet
from sixgate.answers.snapshot import plain
from sixgate.api.callers import AnyCaller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import chains as models
from sixgate.api.problems import Problem, invalid, not_found
from sixgate.api.services import Services
from sixgate.authoring.operator import READS_AS_ID, id_as_name
from sixgate.gateway.chain_names import find_chain
from sixgate.gateway.rpc_urls import rpc_url_problem

router = APIRouter(prefix="/v1", tags=["chains"], route_class=JsonRoute)
# Names of members in the registry, and in the API.
_MEMBERS = {
    "name": "name",
    "chain_id": "chain_id",
    "rpc_url": "rpc_url",
    "explorer": "explorer_url",
    "symbol": "native_currency",
    "testnet": "is_testnet",
}


@router.get("/chains")
def list_chains(_caller: AnyCaller, services: ServicesOf) -> models.ChainList:
    """List the registered chains."""
    chains = sorted(services.backend.read.registered.chains.items())
    return models.ChainList(chains=[_reply(services, chain) for _, chain in chains])


@router.get("/chains/{identifier}")
def get(identifier: str, _caller: AnyCaller, services: ServicesOf) -> models.ChainReply:
    """Return a chain by name, alias or decimal chain id."""
    return _reply(services, _found(services, identifier))


@router.post("/admin/chains", status_code=201, dependencies=[NewWork])
def create(
    request: models.NewChainRequest, caller: PersonCaller, services: ServicesOf
) -> models.ChainReply:
    """Register a chain."""
    registered = services.backend.read.registered
    taken = registered.chains.get(request.chain_id) or registered.chain_named(request.name)
    if taken is not None:
        detail = (
            f"Chain {taken.chain_id} is registered already as {taken.name}: change it with PUT."
        )
        raise Problem(409, "chain_exists", detail)
    entry = _entry(services, {}, request.model_dump())
    _check_names(services, entry)
    services.desk.register([entry])
    _put_display_name(services, entry.chain_id, request.display_name)
    record(services, caller, "chain.create", f"chain:{entry.chain_id}", {"name": entry.name})
    return _reply(services, entry)


@router.put("/admin/chains/{identifier}")
def update(
    identifier: str, request: models.ChainUpdate, caller: PersonCaller, services: ServicesOf
) -> models.ChainReply:
    """Change a chain; its chain id cannot change."""
    before = _found(services, identifier)
    changes = request.model_dump(exclude_unset=True)
    entry = _entry(services, json.loads(before.encode()), changes)
    if entry != before:
        _check_names(services, entry)
        services.desk.register([entry], [before])
    _put_display_name(services, entry.chain_id, request.display_name)
    changed = sorted(request.model_fields_set)
    record(services, caller, "chain.update", f"chain:{entry.chain_id}", {"changed": changed})
    return _reply(services, entry)


@router.delete("/admin/chains/{identifier}", status_code=204)
def remove(identifier: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Remove a chain: intents on it are refused."""
    chain_id = _found(services, identifier).chain_id
    services.desk.register([ChainRemoved(chain_id=chain_id)])
    record(services, caller, "chain.delete", f"chain:{chain_id}")
    return Response(status_code=204)


def _found(services: Services, identifier: str) -> ChainSet:
    chain = find_chain(services.backend.read.registered, identifier)
    if chain is None:
        raise not_found("chain", identifier)
    return chain


def _entry(services: Services, before: dict[str, Any], given: dict[str, Any]) -> ChainSet:
    names = {shown: own for own, shown in _MEMBERS.items()}
    changes = {names[name]: value for name, value in given.items() if name in names}
    members = {name: value for name, value in (before | changes).items() if value is not None}
    try:
        entry = ChainSet.model_validate_json(json.dumps(members))
    except ValidationError as error:
        problem = malformed(error)
        raise invalid({_MEMBERS.get(problem.where, problem.where): problem.why}) from None
    # The command line's full admin may have registered any URL, which then stays.
    url = None if entry.rpc_url == before.get("rpc_url") else entry.rpc_url
    if url is not None and (why := rpc_url_problem(url, private_urls=services.private_urls)):
        raise invalid({"rpc_url": why})
    return entry


def _check_names(services: Services, entry: ChainSet) -> None:
    former = services.backend.read.registered.chains.get(entry.chain_id)
    if id_as_name(entry, [plain(former)] if former else []):
        raise invalid({"name": f"must not read as an id: {READS_AS_ID}"})


def _put_display_name(services: Services, chain_id: int, display_name: str | None) -> None:
    if display_name is not None:
        services.chain_names.put(chain_id, display_name)


def _reply(services: Services, chain: ChainSet) -> models.ChainReply:
    parts = urlsplit(chain.rpc_url or "")
    # A path or a query of a node's URL is often its API key.
    public = not (parts.username or parts.password or parts.query or len(parts.path) > 1)
    return models.ChainReply(
        id=str(chain.chain_id),
        name=chain.name,
        display_name=services.chain_names.of(chain),
        chain_id=chain.chain_id,
        rpc_url=chain.rpc_url if public else None,
        explorer_url=chain.explorer,
        native_currency=chain.symbol,
        is_testnet=chain.testnet,
    )
