"""``sixgate secrets``: admins and agents store them; agents alone read them, as granted."""

from contextlib import ExitStack
from typing import cast

import typer

from schemas.vault_events import SecretKind
from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring.vault_orders import NewSecret, VaultId
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data, MaybeAccount, MaybeAgent
from sixgate.cli.secrets.client_shares import brought, was_stopped
from sixgate.cli.secrets.customer_layer import unlayered
from sixgate.cli.secrets.files import write_value
from sixgate.cli.secrets.new_versions import store_version, vault_meant, with_value
from sixgate.cli.secrets.options import CustomerKey, Kind, Out, Reader, SecretPath, Share, Version
from sixgate.cli.secrets.parties import reader
from sixgate.cli.secrets.views import tell_listed, tell_stored
from sixgate.cli.session import Session, not_found, session, usage
from sixgate.cli.vaults.options import Vault

KIND = "password"
app = typer.Typer(
    no_args_is_help=True,
    help="Secrets in vaults; read by agents alone, as they are granted.",
    epilog="Example: sixgate secrets list prod --account treasury",
)


@app.command(
    epilog="Examples: sixgate secrets put prod db/password value.txt --account treasury\n\n"
    "pass show db | sixgate secrets put prod db/password - --agent payroll\n\n"
    "sixgate secrets put prod api/token --generate --kind api_key --account treasury"
)
@with_value
def put(
    said: Json,
    *,
    vault: Vault,
    path: SecretPath,
    kind: Kind = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Store a new secret, sealed so that only the signer opens it; of kind password unless said."""
    with session(data) as here:
        place = vault_meant(here, said, vault)
        if _versions(here, place, path) and not was_stopped(said.get("share_out")):
            usage(f"{path} is in {vault} already: sixgate secrets rotate makes its next version")
        new = NewSecret(path, 1, cast(SecretKind, kind or KIND))
        made = store_version(here, said, place, new)
    tell_stored(made, as_json=as_json)


@app.command(
    epilog="Examples: sixgate secrets rotate prod db/password new.txt --account treasury\n\n"
    "sixgate secrets rotate prod api/token --generate --account treasury"
)
@with_value
def rotate(
    said: Json,
    *,
    vault: Vault,
    path: SecretPath,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Store the next version of a secret; former versions stay, and are read by their number."""
    with session(data) as here:
        place = vault_meant(here, said, vault)
        before = _versions(here, place, path)
        if not before:
            not_found("secret", path, _paths(here, place))
        new = NewSecret(path, len(before) + 1, before[0]["kind"])
        made = store_version(here, said, place, new)
    tell_stored(made, as_json=as_json)


@app.command(
    epilog="Examples: sixgate secrets get prod db/password --agent payroll\n\n"
    "sixgate secrets get cold seed --agent payroll --share seed.share --out seed.txt"
)
def get(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    vault: Vault,
    path: SecretPath,
    agent: Reader,
    version: Version = None,
    share: Share = None,
    customer_key: CustomerKey = None,
    out: Out = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Read a secret as an agent that is granted it; it goes to standard output byte by byte."""
    forbid_inspection()  # before the secret is here
    with session(data) as here, ExitStack() as opened:
        by = reader(here, agent)
        asked, sealed = brought(by, vault, path, version, share)
        (told,) = by.ask("get", vault, path, asked, sealed)
        value = opened.enter_context(wiping(bytearray.fromhex(str(told.value)[2:])))
        place = CmekContext(
            org=by.org, account=by.account, vault=vault, path=path, version=told.version
        )
        write_value(out, opened.enter_context(unlayered(value, place, customer_key)))


@app.command(
    "list",
    epilog="Examples: sixgate secrets list prod --account treasury\n\n"
    "sixgate secrets list prod --agent payroll --json",
)
def list_(
    *,
    vault: Vault,
    account: MaybeAccount = None,
    agent: MaybeAgent = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List the newest version of every secret in a vault; with --agent, what that one may know."""
    with session(data) as here:
        if agent:
            found = [told.model_dump() for told in reader(here, agent).ask("list", vault)]
        else:
            every = _known(here, VaultId(here.account(account), vault))
            found = list({one["path"]: one for one in every}.values())
    tell_listed(found, as_json=as_json)


@app.command(
    epilog="Examples: sixgate secrets history prod db/password --account treasury\n\n"
    "sixgate secrets history prod db/password --agent payroll --json"
)
def history(
    *,
    vault: Vault,
    path: SecretPath,
    account: MaybeAccount = None,
    agent: MaybeAgent = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List every version of a secret, and no value."""
    with session(data) as here:
        if agent:
            told = reader(here, agent).ask("history", vault, path)
            found = [each.model_dump() for each in told]
        else:
            place = VaultId(here.account(account), vault)
            found = _versions(here, place, path) or not_found("secret", path, _paths(here, place))
    tell_listed(found, as_json=as_json)


def _known(here: Session, place: VaultId) -> list[Json]:
    here.vault(*place)
    found: list[Json] = here.api.vault(*place)["secrets"]
    return found


def _versions(here: Session, place: VaultId, path: str) -> list[Json]:
    return [one for one in _known(here, place) if one["path"] == path]


def _paths(here: Session, place: VaultId) -> set[str]:
    return {one["path"] for one in _known(here, place)}
