"""As whom a command orders, stores and reads: an admin of the folder, or one of its agents."""

from collections.abc import Sequence

from sixgate.authoring.secret_reader import SecretReader
from sixgate.authoring.vault_orders import Orderer
from sixgate.cli.session import Session
from sixgate.cli.terminal import notices, safe
from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import load_key_file


def orderer(here: Session, agent: str | None = None) -> Orderer:
    """Return who orders at this time: the agent named, else the folder's admin."""
    if agent is None:
        return Orderer(here.api, here.folder.admin(), wall_ms())
    return Orderer(here.api, load_key_file(here.folder.agent_key(agent), agent), wall_ms(), agent)


def reader(here: Session, agent: str) -> SecretReader:
    """Return an agent as it reads; end the command if it is none, or has no key here."""
    account = here.agent(agent)["account"]
    key = load_key_file(here.folder.agent_key(agent), agent)
    return SecretReader(here.api, here.registry["org"], account, key, wall_ms, _tell_failed)


def _tell_failed(providers: Sequence[str]) -> None:
    """Warn before one more is down: the next failure may be one too many."""
    names = " and ".join(providers)
    notices().print(safe(f"{names} gave no share; the others sufficed: sixgate kms check says why"))
