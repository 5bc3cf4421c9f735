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
    from sixgate.gateway.database import Database
    from sixgate.oidc.id_tokens import Identity

REQUIRE_EXPLICIT = "policies.require_explicit"
app = typer.Typer(
    no_args_is_help=True,
    help="Manage people who may use the HTTP API.",
    epilog="Example: sixgate people add alice",
)
PersonName = Annotated[str, typer.Argument(metavar="NAME", help="Name or e-mail address.")]
Subject = Annotated[
    str | None,
    typer.Option("--subject", metavar="SUB", help="Person's sub in ID tokens of the issuer."),
]
Email = Annotated[
    str | None,
    typer.Option("--email", metavar="EMAIL", help="Person's verified e-mail address there."),
]
Issuer = Annotated[
    str | None,
    typer.Option(
        "--issuer", metavar="URL", envvar="SIXGATE_API__OIDC__ISSUER", help="Issuer of ID tokens."
    ),
]


@app.command(epilog="Example: sixgate people add alice")
def add(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    name: PersonName,
    account: Annotated[
        str | None, name_option("--account", "Account of the HTTP API [default: the only one].")
    ] = None,
    subject: Subject = None,
    email: Email = None,
    issuer: Issuer = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Add a person and print the person's API key, which is shown once.

    With --subject or --email the person logs in with ID tokens of the issuer and gets no API key.

    With the first person the HTTP API is set up: its gateway and its desk get a key each, which are
    registered for the account.
    """
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.database import Database
    from sixgate.gateway.founding import person_entries
    from sixgate.gateway.logins import Logins
    from sixgate.gateway.people import People, Person

    identity = _identity(issuer, subject, email) if subject or email else None
    person_id = str(uuid.uuid4())
    _refuse_kafka()
    with session(data) as here:
        served = _served_account(here, account)
        explicit = here.registry["settings"][REQUIRE_EXPLICIT]
        # If the process ends after this line, the person cannot log in: add another.
        here.register(*person_entries(person_id, served, GATEWAY))
        with closing(Database(here.folder.gateway)) as database:
            now_ms = wall_ms()
            person = Person(person_id, name, None, "admin", now_ms, active=True)
            People(database).add(person)
            if identity is not None:
                Logins(database, secrets.token_hex).bind(identity, person_id)
                key = None
            else:
                keys = ApiKeys(database, secrets.token_hex)
                key = keys.issue("person", person_id, name="first", now_ms=now_ms).text
    if as_json:
        print_json({"id": person_id, "name": name, "account": served, "api_key": key})
        return
    if explicit:
        _hint_explicit()
    if key is None:
        notices().print(safe(f"Added {name}, who logs in at {issuer}."), highlight=False)
        return
    notices().print(f"Added {name}. The API key below is not shown again.", highlight=False)
    screen().print(key, highlight=False, soft_wrap=True)


@app.command("list", epilog="Example: sixgate people list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List the people who may use the HTTP API."""
    from sixgate.gateway.database import Database
    from sixgate.gateway.logins import Logins
    from sixgate.gateway.people import People

    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        found, logins = People(database).all(), Logins(database, secrets.token_hex)
        named = {p.id: [one.identity for one in logins.of_person(p.id)] for p in found}
    if as_json:
        print_json(
            [
                {"id": p.id, "name": p.name, "role": p.role, "active": p.active}
                | {"logins": [one._asdict() for one in named[p.id]]}
                for p in found
            ]
        )
        return
    rows = [
        Row(
            (p.name, p.role, "yes" if p.active else "no"),
            [p.id, *(f"{one.claim} {one.value} at {one.issuer}" for one in named[p.id])],
        )
        for p in found
    ]
    show(Listing(("name", "role", "active"), rows), screen())


@app.command(epilog="Example: sixgate people bind alice --subject 00u1 --issuer https://id.example")
def bind(
    *,
    name: PersonName,
    subject: Subject = None,
    email: Email = None,
    issuer: Issuer = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Let a person log in with ID tokens; an identity that another person had is taken over."""
    from sixgate.gateway.database import Database
    from sixgate.gateway.logins import Logins

    identity = _identity(issuer, subject, email)
    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        Logins(database, secrets.token_hex).bind(identity, _active_person(database, name))
    notices().print(safe(f"{name} logs in at {issuer}."), highlight=False)


@app.command(epilog="Example: sixgate people unbind alice")
def unbind(*, name: PersonName, data: Data = DATA_DEFAULT) -> None:
    """Remove a person's logins: their tokens end at once, API keys stay."""
    from sixgate.gateway.database import Database
    from sixgate.gateway.logins import Logins

    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        Logins(database, secrets.token_hex).delete_of(_active_person(database, name))
    notices().print(safe(f"{name} has no logins any more."), highlight=False)


@app.command(epilog="Example: sixgate people deactivate alice")
def deactivate(*, name: PersonName, data: Data = DATA_DEFAULT) -> None:
    """Deactivate a person: API keys, logins and tokens end at once."""
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.database import Database
    from sixgate.gateway.logins import Logins
    from sixgate.gateway.people import People

    _refuse_kafka()
    with session(data) as here, closing(Database(here.folder.gateway)) as database:
        person_id = _active_person(database, name)
        # 1. The API refuses the person from here on.
        People(database).deactivate(person_id)
        Logins(database, secrets.token_hex).delete_of(person_id)
        ApiKeys(database, secrets.token_hex).delete_of("person", person_id)
        # 2. If the process ends before this, the registry still has the person, who cannot
        # authenticate any more; run the command again.
        here.register(_inactive(here, person_id))
    notices().print(f"{name} is deactivated.", highlight=False)


def _identity(issuer: str | None, subject: str | None, email: str | None) -> "Identity":
    """Return the identity that options name; end the command unless they name one."""
    from sixgate.oidc.id_tokens import Identity

    if issuer is None:
        fail_usage("name the issuer of the ID tokens with --issuer or SIXGATE_API__OIDC__ISSUER")
    value = subject or email
    if value is None or (subject and email):
        fail_usage("give --subject or --email: the one that api.oidc.claim of the settings names")
    return Identity(issuer, "sub" if subject else "email", value)


def _active_person(database: "Database", name: str) -> str:
    """Return the id of an active person by name or id; end the command unless there is one."""
    from sixgate.gateway.people import People

    everyone = People(database).all()
    named = [p.id for p in everyone if name in (p.id, p.name) and p.active]
    if len(named) > 1:
        fail_usage(f"several people are called {name}: give the id from sixgate people list")
    if not named:
        not_found("person", name, [p.name for p in everyone])
    return named[0]


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
