"""One command's time with a data folder."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sixgate.api import Api, Json
from sixgate.authoring.suggestion import did_you_mean
from sixgate.cli.config_option import config_file
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import ACCOUNT_DEFAULT, DATA_DEFAULT
from sixgate.cli.progress import progress
from sixgate.cli.terminal import notices
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder

if TYPE_CHECKING:  # most commands only read
    from schemas.registry import Entry
    from sixgate.authoring.operator import Admin

IDEMPOTENCY_KEY_BYTES = 16
NEXT = {
    "agent": ": sixgate agents list has those there are, sixgate agents add {name} makes one",
    "setting": ": sixgate settings get has those there are",
    "key": ": sixgate keys list has those there are",
    "vault": ": sixgate vaults list has those there are, sixgate vaults create makes one",
    "chain": ": sixgate chains list has those there are, sixgate chains add makes one",
}
"""What to do about a name that nobody registered."""


def new_idempotency_key() -> str:
    """Mint a key that nobody used before."""
    return secrets.token_hex(IDEMPOTENCY_KEY_BYTES)


@dataclass
class Session:
    """A data folder and the ``Api`` of its node."""

    folder: Folder
    api: Api

    @cached_property
    def registry(self) -> Json:
        """What was registered when it was first asked for, or asked for since our last record."""
        return self.api.registry()

    def register(self, *entries: "Entry") -> None:
        """Sign entries with the folder's admin key and register them in order."""
        from sixgate.authoring.operator import register

        register(self.api, self.folder.admin(), list(entries), wall_ms())
        self.__dict__.pop("registry", None)

    def admin(self) -> "Admin":
        """Return the operator that the folder's admin key is."""
        from sixgate.authoring.operator import Admin

        return Admin(self.api, self.folder.admin(), wall_ms())

    def agent(self, name: str) -> Json:
        """Return a registered agent's record; end the command if there is none."""
        agents: Json = self.registry["agents"]
        if name not in agents:
            not_found("agent", name, agents)
        agent: Json = agents[name]
        return agent

    def chain(self, name: str) -> Json:
        """Return a registered chain by name, alias or id; end the command if there is none."""
        known: dict[str, Json] = {}
        for chain in self.registry["chains"]:
            names = (chain["name"], str(chain["chain_id"]), *chain.get("aliases", ()))
            known |= dict.fromkeys(names, chain)
        return known[name] if name in known else not_found("chain", name, known)

    def account(self, said: str | None) -> str:
        """Return the account that is meant: the one named, else main, else the only one."""
        known: list[str] = self.registry["accounts"]
        if said is not None:
            return said
        if ACCOUNT_DEFAULT in known or len(known) != 1:
            return ACCOUNT_DEFAULT
        return known[0]

    def require_account(self, account: str) -> None:
        """End the command if an account is not open."""
        known: list[str] = self.registry["accounts"]
        if account not in known:
            hint = did_you_mean(account, known) or f": there are {', '.join(known)}; say --account"
            raise CommandError(ExitCode.NOT_FOUND, f"there is no account {account}{hint}")

    def vault(self, account: str, name: str) -> Json:
        """Return a registered vault of an account; end the command if there is none."""
        every: dict[tuple[str, str], Json]
        every = {(vault["account"], vault["vault"]): vault for vault in self.registry["vaults"]}
        if (account, name) in every:
            return every[account, name]
        self.require_account(account)
        others = [owner for owner, named in every if named == name]
        if others:
            why = f"there is no vault {name} of account {account}"
            raise CommandError(ExitCode.NOT_FOUND, f"{why}: did you mean --account {others[0]}?")
        return not_found("vault", name, [named for owner, named in every if owner == account])

    def tell_waiting(self) -> None:
        """Say what an answer that is asked for next may lack: submitted and not judged yet."""
        if waiting := self.api.status()["waiting"]:
            what = "1 record waits" if waiting == 1 else f"{waiting} records wait"
            notices().print(
                f"{what} to be judged and may be missing here; a running pipeline judges all.",
                highlight=False,
            )


@contextmanager
def session(data: Path) -> Iterator[Session]:
    """Lend the folder's node: the one that runs, or one of our own for as long as we need it.

    Where ``--config`` names a pipeline on Kafka, lend its front door; the keys are the folder's.
    """
    # The ledger's engine takes a while to load: wrong input and --help need not wait for it.
    if (file := config_file()) is not None:
        with _scaled(file, data) as here:
            yield here
        return
    from sixgate.socket.connection import connect

    with ExitStack() as stack:
        with progress("opening the data folder"):
            api = stack.enter_context(connect(data))
        yield Session(Folder(data), api)


@contextmanager
def _scaled(file: Path, data: Path) -> Iterator[Session]:
    from schemas.topics import Principal
    from sixgate.cli.identities import speaking_as
    from sixgate.scaled.kafka_api import open_kafka_api
    from sixgate.scaled.settings import load_settings

    settings = load_settings(file)
    if "kafka" not in settings.model_fields_set:
        usage(f"{file} names no brokers: add a section [kafka] with servers")
    folder = Folder(settings.data if data == DATA_DEFAULT else data)
    with ExitStack() as stack:
        stack.enter_context(speaking_as(Principal.OPERATORS))
        with progress("reading what is registered"):
            api = stack.enter_context(open_kafka_api(settings, folder))
        yield Session(folder, api)


def not_found(what: str, name: str, known: Iterable[str]) -> NoReturn:
    """End the command for a name that nobody registered."""
    hint = did_you_mean(name, known) or NEXT.get(what, "").format(name=name)
    raise CommandError(ExitCode.NOT_FOUND, f"there is no {what} {name}{hint}")


def usage(sentence: str) -> NoReturn:
    """End the command because it was asked for wrongly."""
    raise CommandError(ExitCode.USAGE, sentence)
