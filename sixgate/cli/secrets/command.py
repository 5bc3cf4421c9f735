"""``sixgate secrets``: stores secrets as admin or agent, reads them as an agent with a grant."""

from contextlib import ExitStack
from typing import cast

import typer

from schemas.vault_events import SecretKind
from signer.custody.buffers import wiping
from signer.custody.cmek import CmekContext
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring.vault_orders import NewSecret, VaultId
from sixgate.cli.secrets.client_shares import sealed_client_share, was_interrupted
from sixgate.cli.secrets.customer_layer import unlayered
from sixgate.cli.secrets.files import write_value
from sixgate.cli.secrets.new_versions import select_vault, store_version, with_value
from sixgate.cli.secrets.options import (
    CustomerKey,
    Kind,
    MaybeReader,
    Out,
    Reader,
    SecretPath,
    Share,
    Version,
)
from sixgate.cli.secrets.parties import reader
from sixgate.cli.secrets.views import print_listed, print_stored
from sixgate.cli.session import Session, fail_usage, not_found, session
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.vaults.options import Account, Vault

KIND = "password"
app = typer.Typer(
    no_args_is_help=True,
    help="Store secrets, and read them as an agent with a grant.",
    epilog="Example: sixgate secrets list prod --account treasury",
)


@app.command(
    epilog="Examples: sixgate secrets put prod db/password value.txt --account treasury\n\n"
    "pass show db | sixgate secrets put prod db/password - --agent payroll\n\n"
    "sixgate secrets put prod api/token --generate --kind api_key --account treasury"
)
@with_value
def put(
    options: Json,
    *,
    vault: Vault,
    path: SecretPath,
    kind: Kind = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Store a new secret, sealed to the signer before it leaves this command."""
    with session(data) as here:
        vault_id = select_vault(here, options, vault)
        if _versions(here, vault_id, path) and not was_interrupted(options.get("share_out")):
            fail_usage(
                f"{path} already exists in {vault}: add a version with sixgate secrets rotate"
            )
        new = NewSecret(path, 1, cast(SecretKind, kind or KIND))
        made = store_version(here, options, vault_id, new)
    print_stored(made, as_json=as_json)


@app.command(
    epilog="Examples: sixgate secrets rotate prod db/password new.txt --account treasury\n\n"
    "sixgate secrets rotate prod api/token --generate --account treasury"
)
@with_value
def rotate(
    options: Json,
    *,
    vault: Vault,
    path: SecretPath,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Store the next version of a secret. Former versions stay readable by number."""
    with session(data) as here:
        vault_id = select_vault(here, options, vault)
        before = _versions(here, vault_id, path)
        if not before:
            not_found("secret", path, _paths(here, vault_id))
        new = NewSecret(path, len(before) + 1, before[0]["kind"])
        made = store_version(here, options, vault_id, new)
    print_stored(made, as_json=as_json)


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
    """Read a secret as an agent with a grant; the value is written unchanged to standard output."""
    forbid_inspection()  # before the secret is in memory
    with session(data) as here, ExitStack() as opened:
        by = reader(here, agent)
        wanted, sealed = sealed_client_share(by, vault, path, version, share)
        (answer,) = by.ask("get", vault, path, wanted, sealed)
        value = opened.enter_context(wiping(bytearray.fromhex(str(answer.value)[2:])))
        context = CmekContext(
            org=by.org, account=by.account, vault=vault, path=path, version=answer.version
        )
        write_value(out, opened.enter_context(unlayered(value, context, customer_key)))


@app.command(
    "list",
    epilog="Examples: sixgate secrets list prod --account treasury\n\n"
    "sixgate secrets list prod --agent payroll --json",
)
def list_(
    *,
    vault: Vault,
    account: Account = None,
    agent: MaybeReader = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List the newest version of each secret in a vault, or of those an --agent may list."""
    with session(data) as here:
        if agent:
            found = [one.model_dump() for one in reader(here, agent).ask("list", vault)]
        else:
            every = _known(here, VaultId(here.account(account), vault))
            found = list({one["path"]: one for one in every}.values())
    print_listed(found, as_json=as_json)


@app.command(
    epilog="Examples: sixgate secrets history prod db/password --account treasury\n\n"
    "sixgate secrets history prod db/password --agent payroll --json"
)
def history(
    *,
    vault: Vault,
    path: SecretPath,
    account: Account = None,
    agent: MaybeReader = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List all versions of a secret, without values."""
    with session(data) as here:
        if agent:
            answer = reader(here, agent).ask("history", vault, path)
            found = [each.model_dump() for each in answer]
        else:
            vault_id = VaultId(here.account(account), vault)
            found = _versions(here, vault_id, path) or not_found(
                "secret", path, _paths(here, vault_id)
            )
    print_listed(found, as_json=as_json)


def _known(here: Session, vault_id: VaultId) -> list[Json]:
    here.vault(*vault_id)
    found: list[Json] = here.api.vault(*vault_id)["secrets"]
    return found


def _versions(here: Session, vault_id: VaultId, path: str) -> list[Json]:
    return [one for one in _known(here, vault_id) if one["path"] == path]


def _paths(here: Session, vault_id: VaultId) -> set[str]:
    return {one["path"] for one in _known(here, vault_id)}
