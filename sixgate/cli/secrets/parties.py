"""Identities for orders and reads: the folder's admin, or one of its agents."""

from collections.abc import Sequence

from sixgate.authoring.secret_reader import SecretReader
from sixgate.authoring.vault_orders import Orderer
from sixgate.cli.session import Session
from sixgate.cli.terminal import notices, safe
from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import load_key_file


def orderer(here: Session, agent: str | None = None) -> Orderer:
    """Return the sender of an order: the named agent, otherwise the folder's admin."""
    if agent is None:
        return Orderer(here.api, here.folder.admin(), wall_ms())
    return Orderer(here.api, load_key_file(here.folder.agent_key(agent), agent), wall_ms(), agent)


def reader(here: Session, agent: str) -> SecretReader:
    """Return a reader for an agent; an unknown one, or one without a key file, ends the command."""
    account = here.agent(agent)["account"]
    key = load_key_file(here.folder.agent_key(agent), agent)
    return SecretReader(here.api, here.registry["org"], account, key, wall_ms, _warn_failed)


def _warn_failed(providers: Sequence[str]) -> None:
    """Warn about failed providers: one more failure may block reads."""
    names = " and ".join(providers)
    notices().print(safe(f"{names} returned no share; the others sufficed. See sixgate kms check."))
