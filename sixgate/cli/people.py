"""``sixgate people``: people who may use the HTTP API."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sixgate.api import Json
from sixgate.cli.declare import Option, argument, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.options import NAME
from sixgate.cli.render import Answer, Field, View, table
from sixgate.cli.session import Session, entry, not_found, shows, with_session
from sixgate.cli.terminal import notice
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import DESK, GATEWAY
from sixgate.data_folder.key_files import ensure_public_key

if TYPE_CHECKING:  # slow to import
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.logins import Logins
    from sixgate.gateway.people import People
    from sixgate.oidc.id_tokens import Identity

REQUIRE_EXPLICIT = "policies.require_explicit"
app = group("people", example="add alice")
_name = argument("NAME", "Name or e-mail address.")
_subject = Option("--subject SUB", "Person's sub in ID tokens of the issuer.")
_email = Option("--email EMAIL", "Person's verified e-mail address there.")
_issuer = Option("--issuer URL", "Issuer of ID tokens.", envvar="SIXGATE_API__OIDC__ISSUER")


@dataclass(frozen=True, slots=True)
class _Stores:
    """What the gateway's database knows about people."""

    people: "People"
    api_keys: "ApiKeys"
    logins: "Logins"

    def person(self, name: str, *, active_only: bool = True) -> str:
        """Return the id of a person by name or id, an active one if there is any.

        Ends the command unless there is one.
        """
        everyone = self.people.all()
        found = [p for p in everyone if name in (p.id, p.name)]
        named = [p.id for p in found if p.active]
        if not named and not active_only:
            named = [p.id for p in found]
        if len(named) > 1:
            fail_usage(f"several people are called {name}: give the id from sixgate people list")
        if not named:
            not_found("person", name, [p.name for p in everyone])
        return named[0]


@contextmanager
def _stores(here: Session) -> "Iterator[_Stores]":
    from sixgate.gateway.api_keys import ApiKeys
    from sixgate.gateway.database import Database
    from sixgate.gateway.logins import Logins
    from sixgate.gateway.people import People

    with closing(Database(here.folder.gateway)) as database:
        drawn = secrets.token_hex
        yield _Stores(People(database), ApiKeys(database, drawn), Logins(database, drawn))


def _added(found: Json, *, issuer: str | None, explicit: bool) -> str | list[View]:
    """Return the API key; what else there is to know goes to standard error."""
    if explicit:
        notice(
            "This organisation requires explicit policies: an agent that is created through the "
            'API needs every limit, "unlimited" or ["any"]. To let an absent limit mean no limit: '
            f"sixgate settings set {REQUIRE_EXPLICIT} false"
        )
    if found["api_key"] is None:
        notice(f"Added {found['name']}, who logs in at {issuer}.")
        return []
    notice(f"Added {found['name']}. The API key below is not shown again.")
    return str(found["api_key"])


@app.command("add", example="alice")
@_name
@Option("--account", "Account of the HTTP API [default: the only one].", type=NAME)
@_subject
@_email
@_issuer
@shows(_added)
def add(
    here: Session,
    *,
    name: str,
    account: str | None,
    subject: str | None,
    email: str | None,
    issuer: str | None,
) -> Answer:
    """Add a person and print the person's API key, which is shown once.

    With --subject or --email the person logs in with ID tokens of the issuer and gets no API key.

    With the first person the HTTP API is set up: its gateway and its desk get a key each, which are
    registered for the account.
    """
    from sixgate.gateway.founding import person_entries
    from sixgate.gateway.people import Person

    identity = _identity(issuer, subject, email) if subject or email else None
    person_id, key = str(uuid.uuid4()), None
    with _stores(here) as stores:
        stores.people.check_name(name)  # before anything is registered
        served = _served_account(here, account)
        # If the process ends after this line, the person cannot log in: add another.
        here.register(*person_entries(person_id, served, GATEWAY))
        now_ms = wall_ms()
        stores.people.add(Person(person_id, name, None, "admin", now_ms, active=True))
        if identity is not None:
            stores.logins.bind(identity, person_id)
        else:
            key = stores.api_keys.issue("person", person_id, name="first", now_ms=now_ms).text
    made = {"id": person_id, "name": name, "account": served, "api_key": key}
    return Answer(made, issuer=issuer, explicit=here.registry["settings"][REQUIRE_EXPLICIT])


_PEOPLE = table(
    Field("name"),
    Field("role"),
    Field("active", lambda one: "yes" if one["active"] else "no"),
    details=lambda one: [
        one["id"],
        *(f"{each['claim']} {each['value']} at {each['issuer']}" for each in one["logins"]),
    ],
)


@app.command("list", example="--json")
@shows(_PEOPLE)
def list_(here: Session) -> list[Json]:
    """List the people who may use the HTTP API."""
    with _stores(here) as stores:
        return [
            {"id": p.id, "name": p.name, "role": p.role, "active": p.active}
            | {"logins": [one.identity._asdict() for one in stores.logins.of_person(p.id)]}
            for p in stores.people.all()
        ]


@app.command("bind", example="alice --subject 00u1 --issuer https://id.example")
@_name
@_subject
@_email
@_issuer
@with_session
def bind(
    here: Session, *, name: str, subject: str | None, email: str | None, issuer: str | None
) -> None:
    """Let a person log in with ID tokens; an identity that another person had is taken over."""
    identity = _identity(issuer, subject, email)
    with _stores(here) as stores:
        stores.logins.bind(identity, stores.person(name))
    notice(f"{name} logs in at {issuer}.")


@app.command("unbind", example="alice")
@_name
@with_session
def unbind(here: Session, *, name: str) -> None:
    """Remove a person's logins: their tokens end at once, API keys stay."""
    with _stores(here) as stores:
        stores.logins.delete_of(stores.person(name))
    notice(f"{name} has no logins any more.")


@app.command("deactivate", example="alice")
@_name
@with_session
def deactivate(here: Session, *, name: str) -> None:
    """Deactivate a person: API keys, logins and tokens end at once."""
    from schemas.registry.records import AgentSet

    with _stores(here) as stores:
        person_id = stores.person(name, active_only=False)
        # 1. The API refuses the person from here on.
        stores.people.deactivate(person_id)
        stores.logins.delete_of(person_id)
        stores.api_keys.delete_of("person", person_id)
        # 2. If the process ends before this, the registry still has the person, who cannot
        # authenticate any more; run the command again.
        here.register(entry(AgentSet, **here.agent(person_id) | {"active": False}))
    notice(f"{name} is deactivated.")


def _identity(issuer: str | None, subject: str | None, email: str | None) -> "Identity":
    """Return the identity that options name; end the command unless they name one."""
    from sixgate.oidc.id_tokens import Identity

    if issuer is None:
        fail_usage("name the issuer of the ID tokens with --issuer or SIXGATE_API__OIDC__ISSUER")
    value = subject or email
    if value is None or (subject and email):
        fail_usage("give --subject or --email: the one that api.oidc.claim of the settings names")
    return Identity(issuer, "sub" if subject else "email", value)


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
