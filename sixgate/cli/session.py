"""Session: a command's access to a data folder and to the API of its pipeline."""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from sixgate.api import Api, ApiError, Json
from sixgate.cli.declare import Function
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import (
    ACCOUNT_DEFAULT,
    DATA_DEFAULT,
    config_file,
    config_option,
    folder_option,
    process_settings,
)
from sixgate.cli.render import View, prints
from sixgate.cli.terminal import notice, progress
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder

if TYPE_CHECKING:  # slow to import, and commands that only read do not need it
    from schemas.registry.records import Entry
    from signer.custody.event_signing import Ed25519Signer
    from sixgate.authoring.operator import Admin
    from sixgate.authoring.secret_reader import SecretReader
    from sixgate.authoring.vault_orders import Orderer

IDEMPOTENCY_KEY_BYTES = 16
Value = TypeVar("Value")
Model = TypeVar("Model", bound=Canonical)
NEXT = {
    "agent": ": see sixgate agents list, or create it with sixgate agents add {name}",
    "gateway": ": add it with sixgate services add {name} --role gateway",
    "scoped admin": ": see sixgate admins list",
    "setting": ": see sixgate settings get",
    "key": ": see sixgate keys list",
    "vault": ": see sixgate vaults list, or create it with sixgate vaults create",
    "chain": ": see sixgate chains list, or add it with sixgate chains add",
}
"""The next step for an unregistered name."""

RULES = {
    "symbol": "must be 1 to 12 letters or digits",
    "explorer": "must be at most 128 characters",
    "rpc_url": "must be at most 512 characters",
    "aliases": "must be at most 16 names",
    "key_paths": "must be at most 64 paths",
    "public_key": "must be a public key: 0x and 64 lower-case hex digits",
    "default_fees": "must be amounts below 2^256 wei, and gas below 2^53",
    "vault": "must be a name: lower-case letters, digits, '.', '_' and '-'",
    "accounts": "must be 1 to 256 names",
    "settings": "must be names of settings: see sixgate settings get",
    "grants": "must be at most 128 grants",
    "chain_id": "must be a positive chain id, below 2^53",
}
"""The rest of the error for a wrong field, after its name and value."""


def new_idempotency_key() -> str:
    """Return a new random idempotency key."""
    return secrets.token_hex(IDEMPOTENCY_KEY_BYTES)


@dataclass
class Session:
    """A data folder and the ``Api`` of its node."""

    folder: Folder
    api: Api

    @cached_property
    def registry(self) -> Json:
        """The registry; cached until this session registers an entry."""
        return self.api.registry()

    def register(self, *entries: "Entry") -> None:
        """Sign entries with the folder's admin key and register them in order."""
        from sixgate.authoring.operator import register

        register(self.api, self.folder.admin(), list(entries), wall_ms())
        self.__dict__.pop("registry", None)

    def admin(self) -> "Admin":
        """Return the folder's admin, to order keys now."""
        from sixgate.authoring.operator import Admin

        return Admin(self.api, self.folder.admin(), wall_ms())

    def orderer(self, agent: str | None = None) -> "Orderer":
        """Return the sender of an order: the named agent, otherwise the folder's admin."""
        from sixgate.authoring.vault_orders import Orderer

        if agent is None:
            return Orderer(self.api, self.folder.admin(), wall_ms())
        return Orderer(self.api, self._agent_key(agent), wall_ms(), agent)

    def reader(self, agent: str) -> "SecretReader":
        """Return a reader of secrets; an agent that is unknown or has no key ends the command."""
        from sixgate.authoring.secret_reader import SecretReader

        account, org = self.agent(agent)["account"], self.registry["org"]
        return SecretReader(
            self.api, org, account, self._agent_key(agent), wall_ms, _warn_failed_providers
        )

    def _agent_key(self, agent: str) -> "Ed25519Signer":
        from sixgate.data_folder.key_files import load_key_file

        return load_key_file(self.folder.agent_key(agent), agent)

    def agent(self, name: str) -> Json:
        """Return a registered agent's record; an unknown name ends the command."""
        agents: dict[str, Json] = self.registry["agents"]
        return known("agent", name, agents)

    def chains(self) -> dict[str, Json]:
        """Return the registered chains by name, alias and id; an id goes before an equal name."""
        chains = self.registry["chains"]
        named = {name: one for one in chains for name in (one["name"], *one.get("aliases", ()))}
        return named | {str(one["chain_id"]): one for one in chains}

    def chain(self, name: str) -> Json:
        """Return a registered chain by name, alias or id; an unknown one ends the command."""
        return known("chain", name, self.chains())

    def account(self, name: str | None) -> str:
        """Return ``name``, or by default main, or the only account if there is no main."""
        accounts: list[str] = self.registry["accounts"]
        if name is not None:
            return name
        if ACCOUNT_DEFAULT in accounts or len(accounts) != 1:
            return ACCOUNT_DEFAULT
        return accounts[0]

    def owner(self, agent: str | None, account: str | None) -> str | None:
        """Return the agent's account, otherwise ``account``; a conflict ends the command."""
        own: str | None = self.agent(agent)["account"] if agent else None
        if own and account and own != account:
            fail_usage(f"agent {agent} acts for {own}: omit --account")
        return own or account

    def require_account(self, account: str) -> None:
        """End the command if an account is not open."""
        accounts: list[str] = self.registry["accounts"]
        if account not in accounts:
            choices = f": the accounts are {', '.join(accounts)}; choose one with --account"
            from sixgate.authoring.form_fields import did_you_mean  # slow: loads Ethereum

            hint = did_you_mean(account, accounts) or choices
            raise CommandError(ExitCode.NOT_FOUND, f"there is no account {account}{hint}")

    def vaults(self) -> dict[tuple[str, str], Json]:
        """Return the registered vaults by account and name."""
        return {(vault["account"], vault["vault"]): vault for vault in self.registry["vaults"]}

    def vault(self, account: str, name: str) -> Json:
        """Return a registered vault of an account; an unknown one ends the command."""
        every = self.vaults()
        if (account, name) in every:
            return every[account, name]
        self.require_account(account)
        others = [owner for owner, named in every if named == name]
        if others:
            why = f"there is no vault {name} of account {account}"
            raise CommandError(ExitCode.NOT_FOUND, f"{why}: did you mean --account {others[0]}?")
        return not_found("vault", name, [named for owner, named in every if owner == account])

    def warn_pending(self) -> None:
        """Warn if submitted records are undecided, so that the next answer may lack them."""
        if waiting := self.api.status()["waiting"]:
            what = "1 record is" if waiting == 1 else f"{waiting} records are"
            why = "not decided yet and may be missing here; a running pipeline decides them"
            notice(f"{what} {why}.")


@contextmanager
def session(data: Path) -> Iterator[Session]:
    """Connect to the folder's running node, or run one for the duration of the command.

    With ``--config``, connect to a pipeline on Kafka; signing keys still come from the folder.
    A command that runs inside another one shares its connection.
    """
    context = click.get_current_context(silent=True)
    if context and (outer := context.find_object(Session)):
        yield Session(outer.folder, outer.api)  # without the cached registry
        return
    # Imports are local: the ledger's engine loads slowly, and --help need not wait for it.
    if config_file() is not None:
        with _scaled(data) as here:
            yield here
        return
    from sixgate.api.operator.connection import connect

    with ExitStack() as stack:
        with progress("opening the data folder"):
            api = stack.enter_context(connect(data))
        yield Session(Folder(data), api)


@contextmanager
def _scaled(data: Path) -> Iterator[Session]:
    from schemas.topics import Principal
    from sixgate.backends.kafka.backend import open_kafka_api

    settings = process_settings()
    if "kafka" not in settings.model_fields_set:
        fail_usage(f"{config_file()} has no section [kafka]: add it with servers")
    folder = Folder(settings.data if data == DATA_DEFAULT else data)
    with ExitStack() as stack:
        stack.enter_context(connected_as(Principal.OPERATORS))
        with progress("reading the registry"):
            api = stack.enter_context(open_kafka_api(settings, folder))
        yield Session(folder, api)


def with_session_at(flag: str) -> Callable[[Function], Function]:
    """Give a command the open session; add ``--config``, and ``flag`` for the data folder."""

    def decorate(command: Function) -> Function:
        @wraps(command)
        def run(*, _folder: Path, **given: Any) -> Any:
            with session(_folder) as here:
                return command(here, **given)

        return folder_option(flag, "_folder")(config_option(run))

    return decorate


with_session = with_session_at("--data")


def shows(view: Callable[..., View | list[View]]) -> Callable[[Function], Function]:
    """Give a command the open session, and print what it returns, as ``prints`` does."""
    return lambda command: prints(view)(with_session(command))


def _warn_failed_providers(providers: Sequence[str]) -> None:
    """Warn about failed providers: one more failure may block reads."""
    names = " and ".join(providers)
    notice(f"{names} returned no share; the others sufficed. See sixgate kms check.")


def known(what: str, name: str, among: Mapping[str, Value]) -> Value:
    """Return what is registered under a name; an unknown name ends the command."""
    return among[name] if name in among else not_found(what, name, among)


def not_found(what: str, name: str, among: Iterable[str]) -> NoReturn:
    """End the command because a name is not registered."""
    from sixgate.authoring.form_fields import did_you_mean  # slow: loads Ethereum

    hint = did_you_mean(name, among) or NEXT.get(what, "").format(name=name)
    raise CommandError(ExitCode.NOT_FOUND, f"there is no {what} {name}{hint}")


def entry(kind: type[Model], **fields: Any) -> Model:
    """Build an entry from JSON values; a None is omitted."""
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return kind.model_validate_json(json.dumps(given))
    except ValidationError as error:
        wrong = malformed(error)
        field = wrong.where.split(".")[0]
        fail_usage(f"{field} {fields.get(field)!a} {RULES.get(field, f'is wrong: {wrong.why}')}")


@contextmanager
def connected_as(who: str) -> Iterator[None]:
    """Add to an authorisation error of Kafka which certificate the command needs."""
    from streams.kafka.errors import KafkaDeniedError

    try:
        yield
    except (KafkaDeniedError, ApiError) as error:
        if isinstance(error, ApiError) and error.code != "denied":
            raise
        needed = f"This command needs the certificate of {who}."
        raise CommandError(ExitCode.REFUSED, f"{error} {needed}") from None
