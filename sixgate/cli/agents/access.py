"""``sixgate access``: agents' rights on the vaults of their account."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from schemas.access import Grant
from schemas.registry import AccessSet
from sixgate.api import Json
from sixgate.cli.entries import entry
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.options import DATA_DEFAULT, Agent, AgentFilter, AsJson, Data
from sixgate.cli.session import Session, fail_usage, session
from sixgate.cli.terminal import notices, print_json, screen

ANY = "*"
ALL = "read,write,sign"
WRONG = {
    "vault": "must be the name of a vault, or '*' for all vaults of the agent's account",
    "paths": "must be parts separated by slashes, where * matches characters and ** matches parts",
    "rights": "must be read, write or sign, separated by commas",
}
_GRANT: TypeAdapter[Grant] = TypeAdapter(Grant)
Vault = Annotated[
    str, typer.Argument(metavar="VAULT", help="Vault of the agent's account; '*' means all.")
]
Paths = Annotated[
    str, typer.Argument(metavar="PATHS", help="Pattern of paths, such as 'db/*' or '**'.")
]
Rights = Annotated[
    str,
    typer.Option("--rights", metavar="R,R", help="Any of read, write, sign, separated by commas."),
]
app = typer.Typer(
    no_args_is_help=True,
    help="Manage agents' rights on vaults: nothing is granted by default, and a deny wins.",
    epilog="Example: sixgate access list",
)


@app.command(epilog="Example: sixgate access grant payroll prod 'db/**' --rights read,write")
def grant(
    *, name: Agent, vault: Vault, paths: Paths, rights: Rights = "read", data: Data = DATA_DEFAULT
) -> None:
    """Grant an agent rights on paths of a vault."""
    _add(name, _grant("allow", vault, paths, rights), data)


@app.command(epilog="Example: sixgate access deny payroll prod 'db/root/*' --rights read,write")
def deny(
    *, name: Agent, vault: Vault, paths: Paths, rights: Rights = ALL, data: Data = DATA_DEFAULT
) -> None:
    """Deny an agent rights on paths of a vault. Overrides every grant."""
    _add(name, _grant("deny", vault, paths, rights), data)


@app.command(epilog="Example: sixgate access revoke payroll prod 'db/**'")
def revoke(*, name: Agent, vault: Vault, paths: Paths, data: Data = DATA_DEFAULT) -> None:
    """Revoke every grant, and remove every deny, with exactly this vault and pattern."""
    with session(data) as here:
        before = _grants(here, name)
        kept = [one for one in before if (one["vault"], one["paths"]) != (vault, paths)]
        if len(kept) == len(before):
            why = f"agent {name} has no grant or deny on {paths} of {vault}"
            raise CommandError(ExitCode.NOT_FOUND, f"{why}: see sixgate access list")
        here.register(entry(AccessSet, agent=name, grants=kept))
    notices().print(f"Removed {len(before) - len(kept)} of {name}.", highlight=False)


@app.command("list", epilog="Example: sixgate access list --agent payroll --json")
def list_(*, agent: AgentFilter = None, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List grants and denies. An agent may also sign with its own key; nothing else is granted."""
    with session(data) as here:
        names = sorted(here.registry["agents"]) if agent is None else [agent]
        found = {name: _grants(here, name) for name in names}
    if as_json:
        print_json(found)
        return
    columns = ("agent", "effect", "vault", "paths", "rights")
    cells = (
        (name, one["effect"], one["vault"], one["paths"], ",".join(one["rights"]))
        for name, grants in found.items()
        for one in grants
    )
    show(Listing(columns, [Row(row) for row in cells]), screen())


def _grants(here: Session, name: str) -> list[Json]:
    here.agent(name)
    found: list[Json] = here.registry["access"].get(name, [])
    return found


def _grant(effect: str, vault: str, paths: str, rights: str) -> Json:
    given = {"vault": vault, "paths": paths, "rights": rights}
    named = [right.strip() for right in rights.split(",")]
    try:
        checked = _GRANT.validate_json(json.dumps(given | {"effect": effect, "rights": named}))
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        fail_usage(f"{field} {given[field]!a} {WRONG[field]}")
    return checked.model_dump(mode="json")


def _add(name: str, new: Json, data: Path) -> None:
    with session(data) as here:
        account, before = here.agent(name)["account"], _grants(here, name)
        if new["vault"] != ANY:
            here.vault(account, new["vault"])
        if new in before:
            fail_usage(f"agent {name} already has it: see sixgate access list")
        here.register(entry(AccessSet, agent=name, grants=[*before, new]))
    verb = "may" if new["effect"] == "allow" else "may not"
    what = f"{', '.join(new['rights'])} {new['paths']} in {new['vault']} of {account}"
    notices().print(f"Agent {name} {verb} {what}.", highlight=False)
