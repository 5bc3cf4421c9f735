"""The next version of a secret: where it goes, what its value is, and who stores it."""

from dataclasses import replace

from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.cli.options import MaybeAccount, MaybeAgent
from sixgate.cli.secrets.client_shares import client_of
from sixgate.cli.secrets.customer_layer import layered, require_customer_key
from sixgate.cli.secrets.files import read_value
from sixgate.cli.secrets.options import CustomerKey, Generate, ShareOut, Value
from sixgate.cli.secrets.parties import orderer
from sixgate.cli.session import Session, usage
from sixgate.cli.shared_options import with_options

with_value = with_options(
    "said",
    {
        "value": Value,
        "generate": Generate,
        "account": MaybeAccount,
        "agent": MaybeAgent,
        "share_out": ShareOut,
        "customer_key": CustomerKey,
    },
)
"""Give a command what is said of a new version: its value, and who stores it."""


def vault_meant(here: Session, said: Json, vault: str) -> VaultId:
    """Return the vault that is meant: the agent's account's, or that of the account named."""
    agent, account = said.get("agent"), said.get("account")
    own: str | None = here.agent(agent)["account"] if agent else None
    if own and account and own != account:
        usage(f"agent {agent} acts for {own}: leave --account out")
    place = VaultId(own or here.account(account), vault)
    here.vault(*place)
    return place


def store_version(here: Session, said: Json, place: VaultId, new: NewSecret) -> Json:
    """Store a version as was said, keep the client's share of it, and return the answer."""
    if bool(said.get("generate")) is ("value" in said):
        usage("which value is it? Name a file, - for standard input, or say --generate")
    vault = here.vault(*place)
    require_customer_key(vault, said.get("customer_key"))
    client = client_of(here.folder, vault, new.path, said.get("share_out"))
    share_for = client.share_for if client else None

    def made() -> Json:
        return _ordered(here, said, place, replace(new, share_for=share_for))

    return client.made(here, made) if client else made()


def _ordered(here: Session, said: Json, place: VaultId, new: NewSecret) -> Json:
    org, by = here.registry["org"], orderer(here, said.get("agent"))
    if "value" not in said:
        return store(by, place, new)
    forbid_inspection()  # before the value is here
    with wiping(read_value(said["value"])) as read:
        layer = CmekContext(org=org, **place._asdict(), path=new.path, version=new.version)
        value = layered(read, layer, said.get("customer_key"))
        return store(by, place, replace(new, value=value))
