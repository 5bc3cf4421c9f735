"""Client shares of signing keys, in vaults whose custody mode has one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.client_share import ClientShare, ClientShareContext
from signer.custody.buffers import wiping
from signer.custody.hpke import seal_for
from signer.custody.process import forbid_inspection
from signer.vaults.vault import default_vault
from sixgate.api import Json
from sixgate.authoring.operator import KeyTarget
from sixgate.cli.client_shares import Client, client_of
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.private_files import read_hex
from sixgate.cli.progress import WAITING, progress
from sixgate.cli.session import Session


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """Where a key is to be made, and the client that gets its share, if the mode has one."""

    target: KeyTarget
    client: Client | None

    def make_key(self, here: Session, make: Callable[[], Json]) -> Json:
        """Return the key that is made now or was by an interrupted command; its share is saved."""
        if self.client is None:
            with progress(WAITING):
                return make()
        version = self.client.make_version(here, make)["version"]
        named = (self.target.account, self.target.path, version)
        keys = here.api.registry()["keys"]
        found: Json
        (found,) = (k for k in keys if (k["account"], k["path"], k["version"]) == named)
        return found


def sealed_share(here: Session, agent: str, key: Json, file: Path) -> Json:
    """Return the client share of a key version, sealed to the signer for one agent."""
    account = key["account"]
    recipient: str | None = here.registry["share_keys"].get(account)
    if recipient is None:
        why = f"the signer has published no share key for {account} yet"
        raise CommandError(ExitCode.NOT_FOUND, f"{why}: retry in a moment")
    terms = {name: key[name] for name in ("account", "vault", "path", "version")}
    context = ClientShareContext(org=here.registry["org"], **terms)
    forbid_inspection()  # before the share is in memory
    with wiping(read_hex(file, "share")) as share:
        box = seal_for(recipient, share, context.to_signer(agent))
    sealed = ClientShare(key_version=key["version"], share_key=recipient, box=f"0x{box.hex()}")
    return sealed.model_dump()


def key_plan(here: Session, target: KeyTarget, vault: str | None, out: Path | None) -> KeyPlan:
    """Return where a key is made: in the named vault, or the default one of its path.

    Ends the command if the client share has no destination.
    """
    vaults = {(one["account"], one["vault"]): one for one in here.registry["vaults"]}
    name = vault or default_vault(target.account, target.path, vaults)
    found: Json | None = vaults.get((target.account, name))
    if vault is not None:
        here.vault(target.account, vault)
    client = client_of(here.folder, found, target.path, out) if found else None
    share_for = client.share_for if client else None
    return KeyPlan(target._replace(vault=vault, share_for=share_for), client)
