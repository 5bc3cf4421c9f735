"""``sixgate people``: people who may use the HTTP API."""

import secrets
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from sixgate.cli.render import Listing, Row, show
from sixgate.cli.session import Session, fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, safe, screen
from sixgate.cli.typer_config import config_file
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data, name_option
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import DESK, GATEWAY
from sixgate.data_folder.key_files import ensure_public_key

if TYPE_CHECKING:
    from schemas.registry import AgentSet

REQUIRE_EXPLICIT = "policies.require_explicit"
app = typer.Typer(
    no_args_is_help=True,
    help="Manage people who may use the HTTP API.",
    epilog="Example: sixgate people add alice",
)
PersonName = Annotated[str, typer.Argument(metavar="NAME", help="Name or e-mail address.")]


@app.command(epilog="Example: sixgate people add alice")
def add(
    *,
    name: PersonName,
    account: Annotated[
        str | None, name_option("--account", "Account of the HTTP API [default: the only one].")
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Add a person and print the person's API key, which is shown once.

    With the first person the HTTP API is set up: its gateway and its desk get a key each, which are
    registered for the account.
    """
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.database import Database
    from sixgate.gateway.founding import person_entries
    from sixgate.gateway.people import People, Person

    person_id = str(uuid.uuid4())
    _refuse_kafka()
    with session(data) as here:
        served = _served_account(here, account)
        explicit = here.registry["settings"][REQUIRE_EXPLICIT]
        # If the process ends after this line, the person exists without an API key: add another.
        here.register(*person_entries(person_id, served, GATEWAY))
        with closing(Database(here.folder.gateway)) as database:
            now_ms = wall_ms()
            person = Person(person_id, name, None, "admin", now_ms, active=True)
            People(database).add(person)
            key = ApiKeys(database, secrets.token_hex).issue(
                "person", person_id, name="first", now_ms=now_ms
            )
    if as_json:
        print_json({"id": person_id, "name": name, "account": served, "api_key": key.text})
        return
    if explicit:
        _hint_explicit()
    notices().print(f"Added {name}. The API key below is not shown again.", highlight=False)
    screen().print(key.text, highlight=False, soft_wrap=True)


@app.command("list", epilog="Example: sixgate people list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List the people who may use the HTTP API."""
    from sixgate.gateway.database import Database
    from sixgate.gateway.people import People

    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        found = People(database).all()
    if as_json:
        print_json(
            [{"id": p.id, "name": p.name, "role": p.role, "active": p.active} for p in found]
        )
        return
    rows = [Row((p.name, p.role, "yes" if p.active else "no"), [p.id]) for p in found]
    show(Listing(("name", "role", "active"), rows), screen())


@app.command(epilog="Example: sixgate people deactivate alice")
def deactivate(*, name: PersonName, data: Data = DATA_DEFAULT) -> None:
    """Deactivate a person: the API keys and tokens end at once."""
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.database import Database
    from sixgate.gateway.people import People

    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        people = People(database)
        named = {p.id: p for p in people.all() if name in (p.id, p.name) and p.active}
        if len(named) > 1:
            fail_usage(f"several people are called {name}: give the id from sixgate people list")
        if not named:
            not_found("person", name, [p.name for p in people.all()])
        (person_id,) = named
        # 1. The API refuses the person from here on.
        people.deactivate(person_id)
        ApiKeys(database, secrets.token_hex).delete_of("person", person_id)
        # 2. If the process ends before this, the registry still has the person, whom no API key
        # can authenticate any more; run the command again.
        here.register(_inactive(here, person_id))
    notices().print(f"{name} is deactivated.", highlight=False)


def _refuse_kafka() -> None:
    if config_file() is not None:
        fail_usage(
            "the HTTP API serves data folders only, not yet Kafka: omit --config and SIXGATE_CONFIG"
        )


def _served_account(here: Session, wanted: str | None) -> str:
    """Return the account of the HTTP API; set it up for ``wanted`` if there is none."""
    from sixgate.gateway.founding import api_entries

    scopes = {one["name"]: one for one in here.registry["scoped_admins"]}
    if DESK in scopes:
        served = str(scopes[DESK]["accounts"][0])
        if wanted not in (None, served):
            fail_usage(f"the HTTP API serves account {served}: leave out --account")
        return served
    account = here.account(wanted)
    here.require_account(account)
    keys = {name: ensure_public_key(here.folder.key(name), name) for name in (GATEWAY, DESK)}
    here.register(*api_entries(account, (GATEWAY, keys[GATEWAY]), (DESK, keys[DESK])))
    return account


def _hint_explicit() -> None:
    """Say what this organisation demands beyond the documented API."""
    line = (
        "This organisation requires explicit policies: an agent that is created through the API "
        'needs every limit, "unlimited" or ["any"]. To let an absent limit mean no limit: '
        f"sixgate settings set {REQUIRE_EXPLICIT} false"
    )
    notices().print(safe(line))


def _inactive(here: Session, person_id: str) -> "AgentSet":
    from schemas.registry import AgentSet
    from sixgate.cli.entries import entry

    return entry(AgentSet, **here.agent(person_id) | {"active": False})
