"""``sixgate cmek``: the customer's own key over a vault's values, known by its fingerprint."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from schemas.access import Grant, Operation
from schemas.registry import AgentSet, CustomerKeySet
from signer.access import Accessor, Refused, Target, decide
from signer.custody.buffers import wiping
from signer.custody.errors import CmekRefusedError, CorruptError
from signer.custody.modes import PLANS
from signer.custody.process import forbid_inspection
from signer.vaults.vault import Vault as KnownVault
from sixgate.api import Json
from sixgate.authoring.customer_key import KEY_BYTES, CustomerKey
from sixgate.authoring.customer_rotation import CustomerRotation
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.cli.entries import entry
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import DATA_DEFAULT, Data
from sixgate.cli.progress import progress
from sixgate.cli.secrets.customer_layer import customer_key
from sixgate.cli.secrets.files import write_hex
from sixgate.cli.secrets.options import Reader
from sixgate.cli.secrets.parties import orderer, reader
from sixgate.cli.session import Session, session, usage
from sixgate.cli.terminal import notices
from sixgate.cli.vaults.options import Account, Vault
from sixgate.clocks import wall_ms

KeyFile = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The customer's key, in hexadecimal digits.")
]
NewKeyFile = Annotated[
    Path, typer.Option("--new-key", metavar="FILE", help="The next one; made if it is not there.")
]
OPERATIONS: tuple[Operation, ...] = ("export", "rotate")
"""What a rotation does with each secret."""
app = typer.Typer(
    no_args_is_help=True,
    help="The customer's own key over a vault's values; it never leaves the customer.",
    epilog="Example: sixgate cmek enrol prod --account treasury --key customer.key",
)


@app.command(epilog="Example: sixgate cmek enrol prod --account treasury --key customer.key")
def enrol(
    *, vault: Vault, key: KeyFile, account: Account = None, data: Data = DATA_DEFAULT
) -> None:
    """Let a vault take values under the customer's key alone; the key is made if it is not there.

    Before the first secret: what lies in the vault without the layer would stay without it.
    """
    forbid_inspection()  # before the key is here
    with session(data) as here:
        owner = here.account(account)
        if here.vault(owner, vault)["customer_keys"]:
            usage(f"{vault} has a customer's key: sixgate cmek rotate moves it to the next one")
        if here.api.vault(owner, vault)["secrets"]:
            why = f"{vault} has secrets without the customer's layer: make another vault for it"
            raise CommandError(ExitCode.REFUSED, why)
        here.folder.check_outside(key)
        fingerprint = _made(key).fingerprint
        here.register(entry(CustomerKeySet, account=owner, vault=vault, fingerprint=fingerprint))
    told = f"{vault} of {owner} takes values under {fingerprint} alone; the key is in {key}."
    notices().print(told, highlight=False, soft_wrap=True)
    notices().print("Nobody else has it: without it every value is lost.", highlight=False)


@app.command(
    epilog="Example: sixgate cmek rotate prod --agent payroll --key old.key --new-key new.key"
)
def rotate(
    *, vault: Vault, agent: Reader, key: KeyFile, new_key: NewKeyFile, data: Data = DATA_DEFAULT
) -> None:
    """Move a vault to the customer's next key: the newest version of each secret becomes another.

    The agent reads and writes them; what is done stays, so the command may be run again.
    """
    forbid_inspection()
    with session(data) as here:
        rotation = _rotation(here, agent, vault, key, new_key)
        _begin(here, rotation, agent)
        count = _count_moved(here, rotation)
    _tell_left(rotation)
    what = "1 secret" if count == 1 else f"{count} secrets"
    told = f"Moved {what} of {vault} to {rotation.new.fingerprint}."
    notices().print(told, highlight=False, soft_wrap=True)
    notices().print(f"Former versions stay under {key}: keep it as long as they count.")


def _made(file: Path) -> CustomerKey:
    if not file.exists():
        with wiping(bytearray(secrets.token_bytes(KEY_BYTES))) as made:
            write_hex(file, made)
    return customer_key(file)


def _rotation(here: Session, agent: str, vault: str, key: Path, new_key: Path) -> CustomerRotation:
    account = here.agent(agent)["account"]
    if PLANS[here.vault(account, vault)["mode"]].needs_client:
        usage(f"{vault} wants a client's share with every read: get and rotate one at a time")
    here.folder.check_outside(new_key)
    by, place = reader(here, agent), VaultId(account, vault)

    def read(path: str, version: int) -> bytes:
        (told,) = by.ask("export", vault, path, version)
        return bytes.fromhex(str(told.value)[2:])  # under the customer's key: nothing to be wiped

    def stored(new: NewSecret) -> Json:
        return store(orderer(here, agent), place, new)

    old, had = customer_key(key), here.vault(*place)["customer_keys"]
    if not new_key.exists():  # or it would be made for nothing
        _require_current(old.fingerprint, had)
    new = _made(new_key)
    others = frozenset(had) - {old.fingerprint, new.fingerprint}
    return CustomerRotation(by.org, place, old, new, read, stored, secrets.token_bytes, others)


def _begin(here: Session, rotation: CustomerRotation, agent: str) -> None:
    """Enrol the new key, unless that was done before: then the rotation goes on.

    From any key that was enrolled before: a rotation that never ended may have left values under
    it. From then on the former key writes nothing, so the agent's rights are looked at first.
    """
    old, new = rotation.old.fingerprint, rotation.new.fingerprint
    enrolled: list[str] = here.vault(*rotation.place)["customer_keys"]
    if enrolled[-1:] == [new] and old in enrolled[:-1]:
        return
    if old == new:
        usage("--key and --new-key hold the same key: name a file that is not there, to have one")
    _require_current(old, enrolled)
    _require_rights(here, rotation.place, agent)
    here.register(entry(CustomerKeySet, **rotation.place._asdict(), fingerprint=new))


def _require_current(old: str, enrolled: list[str]) -> None:
    if not enrolled:
        usage("the vault has no customer's key yet: sixgate cmek enrol gives it one")
    if enrolled[-1] != old:
        why = f"--key holds {old}, and the vault takes values under {enrolled[-1]}"
        usage(f"{why}: name the file with that key")


def _require_rights(here: Session, place: VaultId, agent: str) -> None:
    """End the command where the agent may not read and write all that is to be moved."""
    accessor = Accessor(entry(AgentSet, **here.agent(agent)), _granted(here, agent))
    vault = KnownVault(*place, mode=here.vault(*place)["mode"])
    for one in here.api.vault(*place)["secrets"]:
        target = Target(vault, one["path"], one["kind"], one["generated"])
        for operation in OPERATIONS:
            access = decide(accessor, target, operation, wall_ms())
            if isinstance(access, Refused):
                raise CommandError(ExitCode.REFUSED, f"{access.detail} Nothing was begun.")


def _granted(here: Session, agent: str) -> tuple[Grant, ...]:
    return tuple(entry(Grant, **one) for one in here.registry["access"].get(agent, ()))


def _tell_left(rotation: CustomerRotation) -> None:
    """Fail where values are still under a key from before."""
    if rotation.left:
        raise CommandError(
            ExitCode.REFUSED,
            f"{len(rotation.left)} secrets are still under a key from before, {rotation.left[0]} "
            f"for one: run sixgate cmek rotate with that key as --key. What was moved stays so.",
        )


def _count_moved(here: Session, rotation: CustomerRotation) -> int:
    found, count = here.api.vault(*rotation.place)["secrets"], 0
    try:
        with progress(f"moving {len({one['path'] for one in found})} secrets") as bar:
            for count, _ in enumerate(rotation.move(found), 1):
                bar.show(count)
    except (CmekRefusedError, CorruptError) as error:
        raise CommandError(ExitCode.REFUSED, f"{error} What was moved stays so.") from None
    return count
