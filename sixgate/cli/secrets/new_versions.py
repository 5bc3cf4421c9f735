"""Stores a new version of a secret: selects its vault, reads its value, seals and orders it."""

from dataclasses import replace
from typing import Annotated

from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.cli.secrets.client_shares import client_of
from sixgate.cli.secrets.customer_layer import layered, require_customer_key
from sixgate.cli.secrets.files import read_value
from sixgate.cli.secrets.options import CustomerKey, Generate, ShareOut, Value
from sixgate.cli.secrets.parties import orderer
from sixgate.cli.session import Session, fail_usage
from sixgate.cli.typer_options import name_option
from sixgate.cli.typer_shared_options import with_options
from sixgate.cli.vaults.options import Account

with_value = with_options(
    "options",
    {
        "value": Value,
        "generate": Generate,
        "account": Account,
        "agent": Annotated[
            str | None, name_option("--agent", "Order as this agent.", show_default="the admin")
        ],
        "share_out": ShareOut,
        "customer_key": CustomerKey,
    },
)
"""Add the options for a new version: its value, and who stores it; they arrive as ``options``."""


def select_vault(here: Session, options: Json, vault: str) -> VaultId:
    """Return the vault of the agent's account, or of the named account."""
    agent, account = options.get("agent"), options.get("account")
    own: str | None = here.agent(agent)["account"] if agent else None
    if own and account and own != account:
        fail_usage(f"agent {agent} acts for {own}: omit --account")
    vault_id = VaultId(own or here.account(account), vault)
    here.vault(*vault_id)
    return vault_id


def store_version(here: Session, options: Json, vault_id: VaultId, new: NewSecret) -> Json:
    """Store a version, save its client share if it has one, and return the signer's answer."""
    if bool(options.get("generate")) is ("value" in options):
        fail_usage("give one value: a file, - for standard input, or --generate")
    vault = here.vault(*vault_id)
    require_customer_key(vault, options.get("customer_key"))
    client = client_of(here.folder, vault, new.path, options.get("share_out"))
    share_for = client.share_for if client else None

    def made() -> Json:
        return _ordered(here, options, vault_id, replace(new, share_for=share_for))

    return client.make_version(here, made) if client else made()


def _ordered(here: Session, options: Json, vault_id: VaultId, new: NewSecret) -> Json:
    org, by = here.registry["org"], orderer(here, options.get("agent"))
    if "value" not in options:
        return store(by, vault_id, new)
    forbid_inspection()  # before the value is in memory
    with wiping(read_value(options["value"])) as read:
        layer = CmekContext(org=org, **vault_id._asdict(), path=new.path, version=new.version)
        value = layered(read, layer, options.get("customer_key"))
        return store(by, vault_id, replace(new, value=value))
