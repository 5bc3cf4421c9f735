"""One command's time with a data folder: where the CLI reads the clock and draws randomness."""

import difflib
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from schemas.registry import Entry
from sixgate import operator
from sixgate.api import Api, Json
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandFailed
from sixgate.cli.progress import progress
from sixgate.cli.terminal import notices
from sixgate.folder import Folder

IDEMPOTENCY_KEY_BYTES = 16
NEXT = {
    "agent": ": sixgate agents list has those there are, sixgate agents add {name} makes one",
    "chain": ": sixgate chains list has those there are, sixgate chains add makes one",
}
"""What to do about a name that nobody registered."""


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


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
        """What was registered when it was first asked for."""
        return self.api.registry()

    def register(self, *entries: Entry) -> None:
        """Sign entries with the folder's admin key and register them in order."""
        operator.register(self.api, self.folder.admin(), list(entries), now_ms())

    def provision(self, account: str, path: str) -> Json:
        """Order a key with the folder's admin key; return its descriptor."""
        return operator.provision(self.api, self.folder.admin(), account, path, now_ms())

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

    def tell_waiting(self) -> None:
        """Say what an answer that is asked for next may lack: submitted and not judged yet."""
        if waiting := self.api.status()["waiting"]:
            what = "1 record waits" if waiting == 1 else f"{waiting} records wait"
            notices().print(
                f"{what} in the inbox and may be missing here: sixgate up judges them all.",
                highlight=False,
            )


@contextmanager
def session(data: Path) -> Iterator[Session]:
    """Lend the folder's node: the one that runs, or one of our own for as long as we need it."""
    # The ledger's engine takes a while to load: wrong input and --help need not wait for it.
    from sixgate.connection import connect  # noqa: PLC0415

    with ExitStack() as stack:
        with progress("opening the data folder"):
            api = stack.enter_context(connect(data))
        yield Session(Folder(data), api)


def not_found(what: str, name: str, known: Iterable[str]) -> NoReturn:
    """End the command for a name that nobody registered."""
    near = difflib.get_close_matches(name, list(known), 1)
    hint = f": did you mean {near[0]}?" if near else NEXT.get(what, "").format(name=name)
    raise CommandFailed(ExitCode.NOT_FOUND, f"there is no {what} {name}{hint}")


def usage(sentence: str) -> NoReturn:
    """End the command because it was asked for wrongly."""
    raise CommandFailed(ExitCode.USAGE, sentence)
