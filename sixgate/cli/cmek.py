"""``sixgate cmek``: enrols and rotates the customer's own key over a vault's values.

A rotation:
1. Create the new key's file if it is missing.
   *If the process ends after it, the registry is unchanged; the next run uses the same file.*
2. Enrol the new key. From here on the vault refuses values under the old key.
   *If the process ends after it, every value opens under an enrolled key; the next run continues
   with step 3.*
3. Store the newest version of each secret again under the new key.
   *If the process ends during this step, moved versions stay; the next run moves the others.*
"""

import secrets
from pathlib import Path

from schemas.keys.secret_access import Operation
from schemas.registry.access import Grant
from schemas.registry.records import AgentSet, CustomerKeySet
from signer.core.registry.vault import Vault as KnownVault
from signer.custody.buffers import wiping
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CmekRefusedError, CorruptError
from signer.custody.process import forbid_inspection
from signer.keys.access import KEY_KINDS, Accessor, Refused, Target, decide
from sixgate.api import Json
from sixgate.authoring.customer_key import KEY_BYTES, CustomerKey
from sixgate.authoring.customer_rotation import CustomerRotation
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.cli.customer_layer import customer_key
from sixgate.cli.declare import Option, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import write_hex
from sixgate.cli.options import FILE
from sixgate.cli.session import Session, entry, with_session
from sixgate.cli.terminal import notice, progress
from sixgate.cli.vault_options import account_option, reader_option, vault_argument
from sixgate.clocks import wall_ms

OPERATIONS: tuple[Operation, ...] = ("export", "rotate")
"""The operations of a rotation on each secret, which the agent must be allowed."""
app = group("cmek", example="enrol prod --account treasury --key customer.key")
_key = Option("--key FILE", "Customer key, in hexadecimal digits.", type=FILE, required=True)


@app.command("enrol", example="prod --account treasury --key customer.key")
@vault_argument
@_key
@account_option
@with_session
def enrol(here: Session, *, vault: str, key: Path, account: str | None) -> None:
    """Make a vault accept only values encrypted with the customer's key, created if missing.

    Only for a vault without secrets: existing values would stay without the customer's layer.
    """
    forbid_inspection()  # before the key is in memory
    owner = here.account(account)
    if here.vault(owner, vault)["customer_keys"]:
        fail_usage(f"{vault} already has a customer key: rotate it with sixgate cmek rotate")
    if here.api.vault(owner, vault)["secrets"]:
        why = f"{vault} already has secrets without the key: create another vault for it"
        raise CommandError(ExitCode.REFUSED, why)
    here.folder.check_outside(key)
    # If the process ends after the key file is written, the next run enrols the same key.
    fingerprint = _load_or_create(key).fingerprint
    here.register(entry(CustomerKeySet, account=owner, vault=vault, fingerprint=fingerprint))
    notice(f"{vault} of {owner} now accepts only values under {fingerprint}; the key is in {key}.")
    notice("Sixgate has no copy of it: without it every value is lost.")


@app.command("rotate", example="prod --agent payroll --key old.key --new-key new.key")
@vault_argument
@reader_option
@_key
@Option("--new-key FILE", "Next customer key; created if missing.", type=FILE, required=True)
@with_session
def rotate(here: Session, *, vault: str, agent: str, key: Path, new_key: Path) -> None:
    """Rotate a vault's customer key: store the newest version of each secret under the next key.

    The agent reads and writes the secrets. Run an interrupted rotation again to continue it.
    """
    forbid_inspection()
    rotation = _rotation(here, agent, vault, key, new_key)
    _enrol_next(here, rotation, agent)
    count = _move_all(here, rotation)
    what = "1 secret" if count == 1 else f"{count} secrets"
    notice(f"Moved {what} of {vault} to {rotation.new.fingerprint}.")
    notice(f"Former versions stay under {key}: keep it while you need them.")


def _load_or_create(file: Path) -> CustomerKey:
    if not file.exists():
        with wiping(bytearray(secrets.token_bytes(KEY_BYTES))) as made:
            write_hex(file, made)
    return customer_key(file)


def _rotation(here: Session, agent: str, vault: str, key: Path, new_key: Path) -> CustomerRotation:
    account = here.agent(agent)["account"]
    if PLANS[here.vault(account, vault)["mode"]].needs_client:
        fail_usage(
            f"{vault} needs a client share per read: get and rotate its secrets one at a time"
        )
    here.folder.check_outside(new_key)
    by, vault_id = here.reader(agent), VaultId(account, vault)

    def read(path: str, version: int) -> bytes:
        (answer,) = by.ask("export", vault, path, version)
        return bytes.fromhex(str(answer.value)[2:])  # encrypted with the customer's key: no wipe

    def stored(new: NewSecret) -> Json:
        return store(here.orderer(agent), vault_id, new)

    old, had = customer_key(key), here.vault(*vault_id)["customer_keys"]
    if not new_key.exists():  # check first, or a useless key file would be created
        _require_current(old.fingerprint, had)
    # 1. If the process ends after it, the registry is unchanged, and the next run uses this file.
    new = _load_or_create(new_key)
    others = frozenset(had) - {old.fingerprint, new.fingerprint}
    return CustomerRotation(by.org, vault_id, old, new, read, stored, secrets.token_bytes, others)


def _enrol_next(here: Session, rotation: CustomerRotation, agent: str) -> None:
    """Enrol the new key, unless an earlier run did; then the rotation continues.

    A continued rotation may start from any formerly enrolled key, because an unfinished one may
    have left values under it. After enrolment the old key cannot write, so the agent's rights are
    checked before.
    """
    old, new = rotation.old.fingerprint, rotation.new.fingerprint
    enrolled: list[str] = here.vault(*rotation.vault_id)["customer_keys"]
    if enrolled[-1:] == [new] and old in enrolled[:-1]:
        return
    if old == new:
        fail_usage(
            "--key and --new-key contain the same key: name a missing file to create a new key"
        )
    _require_current(old, enrolled)
    _require_rights(here, rotation.vault_id, agent)
    # 2. If the process ends after it, every value opens under an enrolled key; run the rotation
    # again.
    here.register(entry(CustomerKeySet, **rotation.vault_id._asdict(), fingerprint=new))


def _require_current(old: str, enrolled: list[str]) -> None:
    if not enrolled:
        fail_usage("the vault has no customer key: enrol one with sixgate cmek enrol")
    if enrolled[-1] != old:
        why = f"--key contains {old}, but the vault accepts values under {enrolled[-1]}"
        fail_usage(f"{why}: give the file with that key")


def _require_rights(here: Session, vault_id: VaultId, agent: str) -> None:
    """End the command if the agent may not read and write every secret of the vault."""
    grants = tuple(entry(Grant, **one) for one in here.registry["access"].get(agent, ()))
    accessor = Accessor(entry(AgentSet, **here.agent(agent)), grants)
    vault = KnownVault(*vault_id, mode=here.vault(*vault_id)["mode"])
    for one in _movable(here, vault_id):
        target = Target(vault, one["path"], one["kind"], one["generated"])
        for operation in OPERATIONS:
            access = decide(accessor, target, operation, wall_ms())
            if isinstance(access, Refused):
                raise CommandError(ExitCode.REFUSED, f"{access.detail} The rotation did not start.")


def _movable(here: Session, vault_id: VaultId) -> list[Json]:
    """Return the versions in a vault that can be read: no private keys beside a signing key."""
    signing = {key["path"] for key in here.registry["keys"] if key["account"] == vault_id.account}
    return [
        one
        for one in here.api.vault(*vault_id)["secrets"]
        if one["kind"] not in KEY_KINDS or one["path"] not in signing
    ]


def _move_all(here: Session, rotation: CustomerRotation) -> int:
    """Move the secrets and return their number; end the command if an older key is left."""
    # 3. If the process ends during this step, moved versions stay, and the next run moves the
    # others.
    found, count = _movable(here, rotation.vault_id), 0
    try:
        with progress(f"moving {len({one['path'] for one in found})} secrets") as bar:
            for count, _ in enumerate(rotation.move(found), 1):
                bar.show(count)
    except (CmekRefusedError, CorruptError) as error:
        raise CommandError(ExitCode.REFUSED, f"{error} Moved secrets stay.") from None
    if rotation.left:
        raise CommandError(
            ExitCode.REFUSED,
            f"{len(rotation.left)} secrets are still under an older key, for example "
            f"{rotation.left[0]}: rotate again with that key as --key; moved secrets stay moved",
        )
    return count
