"""``/v1/treasury/wallets``: the keys of the organisation's treasury, in the mode of its tier."""

from fastapi import APIRouter, Response

from schemas.registry.key_chains import KeyChain
from sixgate.api import key_orders
from sixgate.api.callers import NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.key_orders import KeyOwner
from sixgate.api.models import signing_keys as models

router = APIRouter(prefix="/v1/treasury/wallets", tags=["treasury"], route_class=JsonRoute)
EVERY_CHAIN = models.WalletsRequest()


@router.post("/generate", status_code=201, dependencies=[NewWork])
def generate(
    caller: PersonCaller, services: ServicesOf, request: models.WalletsRequest = EVERY_CHAIN
) -> models.WalletList:
    """Provision treasury wallets for chains; a chain that has a wallet keeps it."""
    wallets = []
    for chain in dict.fromkeys(request.chains):
        owner = KeyOwner(services.account, chain, None)
        found = key_orders.newest(services, owner)
        wallets.append(
            key_orders.key_reply(found, None)
            if found is not None and found.active
            else key_orders.provision(services, owner)
        )
    chains = [wallet.chain.value for wallet in wallets]
    record(services, caller, "treasury.wallet_create", "treasury", {"chains": chains})
    return models.WalletList(wallets=wallets)


@router.get("")
def list_wallets(_caller: PersonCaller, services: ServicesOf) -> models.WalletList:
    """List the treasury's wallets."""
    owners = [KeyOwner(services.account, chain, None) for chain in KeyChain]
    return models.WalletList(wallets=key_orders.list_keys(services, owners))


@router.get("/{chain}")
def get(chain: KeyChain, _caller: PersonCaller, services: ServicesOf) -> models.KeyReply:
    """Return the treasury's wallet of a chain."""
    owner = KeyOwner(services.account, chain, None)
    return key_orders.key_reply(key_orders.find(services, owner), None)


@router.post("/{chain}/rotate")
def rotate(chain: KeyChain, caller: PersonCaller, services: ServicesOf) -> models.KeyReply:
    """Rotate a wallet: the new version has another address. Move the funds first."""
    wallet = key_orders.rotate(services, KeyOwner(services.account, chain, None))
    record(services, caller, "treasury.wallet_rotate", f"treasury/{chain}")
    return wallet


@router.delete("/{chain}", status_code=204)
def deactivate(chain: KeyChain, caller: PersonCaller, services: ServicesOf) -> Response:
    """Deactivate a wallet: it no longer signs."""
    key_orders.deactivate(services, KeyOwner(services.account, chain, None))
    record(services, caller, "treasury.wallet_deactivate", f"treasury/{chain}")
    return Response(status_code=204)
