"""The client's share of a key, where the key's vault is in a mode that has one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.client_share import ClientShare, ClientShareContext
from signer.custody.buffers import wiping
from signer.custody.hpke import seal_for
from signer.custody.process import forbid_inspection
from signer.vaults.vault import default_vault
from sixgate.api import Json
from sixgate.authoring.operator import KeyPlace
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.progress import WAITING, progress
from sixgate.cli.secrets.client_shares import Client, client_of
from sixgate.cli.secrets.files import read_hex
from sixgate.cli.session import Session


@dataclass(frozen=True, slots=True)
class KeyShare:
    """Where a key is to be made, and who gets its client's share, if there is one."""

    place: KeyPlace
    client: Client | None

    def made(self, here: Session, make: Callable[[], Json]) -> Json:
        """Return the key that is made, or that a stopped command had made; its share is kept."""
        if self.client is None:
            with progress(WAITING):
                return make()
        version = self.client.made(here, make)["version"]
        named = (self.place.account, self.place.path, version)
        keys = here.api.registry()["keys"]
        found: Json
        (found,) = (k for k in keys if (k["account"], k["path"], k["version"]) == named)
        return found


def sealed_share(here: Session, agent: str, key: Json, file: Path) -> Json:
    """Return the client's share of a version of a key, sealed for the signer and one agent."""
    account = key["account"]
    recipient: str | None = here.registry["share_keys"].get(account)
    if recipient is None:
        why = f"the signer has told {account} no share key: it does once a vault of it wants one"
        raise CommandError(ExitCode.NOT_FOUND, f"{why}; try again in a moment")
    terms = {name: key[name] for name in ("account", "vault", "path", "version")}
    place = ClientShareContext(org=here.registry["org"], **terms)
    forbid_inspection()  # before the share is here
    with wiping(read_hex(file, "share")) as share:
        box = seal_for(recipient, share, place.to_signer(agent))
    sealed = ClientShare(key_version=key["version"], share_key=recipient, box=f"0x{box.hex()}")
    return sealed.model_dump()


def share_of_key(here: Session, place: KeyPlace, vault: str | None, out: Path | None) -> KeyShare:
    """Return where a key is made: in a vault that is named, or the usual one of its path.

    Ends the command where its client's share would go nowhere.
    """
    vaults = {(one["account"], one["vault"]): one for one in here.registry["vaults"]}
    name = vault or default_vault(place.account, place.path, vaults)
    found: Json | None = vaults.get((place.account, name))
    if vault is not None:
        here.vault(place.account, vault)
    client = client_of(here.folder, found, place.path, out) if found else None
    share_for = client.share_for if client else None
    return KeyShare(place._replace(vault=vault, share_for=share_for), client)
