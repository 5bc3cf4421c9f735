"""``sixgate access``: agents' rights on the vaults of their account."""

import json

from pydantic import TypeAdapter, ValidationError

from schemas.registry.access import Grant
from schemas.registry.records import AccessSet
from sixgate.api import Json
from sixgate.cli.declare import Option, argument, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import agent_argument, agent_filter
from sixgate.cli.render import Field, Listing, table
from sixgate.cli.session import Session, entry, shows, with_session
from sixgate.cli.terminal import notice

ANY = "*"
ALL = "read,write,sign"
WRONG = {
    "vault": "must be the name of a vault, or '*' for all vaults of the agent's account",
    "paths": "must be parts separated by slashes, where * matches characters and ** matches parts",
    "rights": "must be read, write or sign, separated by commas",
}
_GRANT: TypeAdapter[Grant] = TypeAdapter(Grant)
app = group("access", example="list")
_vault = argument("VAULT", "Vault of the agent's account; '*' means all.")
_paths = argument("PATHS", "Pattern of paths, such as 'db/*' or '**'.")
_RIGHTS = "Any of read, write, sign, separated by commas."


@app.command("grant", example="payroll prod 'db/**' --rights read,write")
@agent_argument
@_vault
@_paths
@Option("--rights R,R", _RIGHTS, default="read")
@with_session
def grant(here: Session, *, name: str, vault: str, paths: str, rights: str) -> None:
    """Grant an agent rights on paths of a vault."""
    _add(here, name, _grant("allow", vault, paths, rights))


@app.command("deny", example="payroll prod 'db/root/*' --rights read,write")
@agent_argument
@_vault
@_paths
@Option("--rights R,R", _RIGHTS, default=ALL)
@with_session
def deny(here: Session, *, name: str, vault: str, paths: str, rights: str) -> None:
    """Deny an agent rights on paths of a vault. Overrides every grant."""
    _add(here, name, _grant("deny", vault, paths, rights))


@app.command("revoke", example="payroll prod 'db/**'")
@agent_argument
@_vault
@_paths
@with_session
def revoke(here: Session, *, name: str, vault: str, paths: str) -> None:
    """Revoke every grant, and remove every deny, with exactly this vault and pattern."""
    before = _grants(here, name)
    kept = [one for one in before if (one["vault"], one["paths"]) != (vault, paths)]
    if len(kept) == len(before):
        why = f"agent {name} has no grant or deny on {paths} of {vault}"
        raise CommandError(ExitCode.NOT_FOUND, f"{why}: see sixgate access list")
    here.register(entry(AccessSet, agent=name, grants=kept))
    notice(f"Removed {len(before) - len(kept)} of {name}.")


_GRANTS = table(
    Field("agent"),
    Field("effect"),
    Field("vault"),
    Field("paths"),
    Field("rights", lambda one: ",".join(one["rights"])),
)


def _listing(found: dict[str, list[Json]]) -> Listing:
    return _GRANTS({"agent": name} | one for name, grants in found.items() for one in grants)


@app.command("list", example="--agent payroll --json")
@agent_filter
@shows(_listing)
def list_(here: Session, *, agent: str | None) -> Json:
    """List grants and denies. An agent may also sign with its own key; nothing else is granted."""
    names = sorted(here.registry["agents"]) if agent is None else [agent]
    return {name: _grants(here, name) for name in names}


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


def _add(here: Session, name: str, new: Json) -> None:
    account, before = here.agent(name)["account"], _grants(here, name)
    if new["vault"] != ANY:
        here.vault(account, new["vault"])
    if new in before:
        fail_usage(f"agent {name} already has it: see sixgate access list")
    here.register(entry(AccessSet, agent=name, grants=[*before, new]))
    verb = "may" if new["effect"] == "allow" else "may not"
    what = f"{', '.join(new['rights'])} {new['paths']} in {new['vault']} of {account}"
    notice(f"Agent {name} {verb} {what}.")
