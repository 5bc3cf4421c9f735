"""``sixgate vaults rotate-key``: orders a key rotation and waits while the signer rewraps."""

import time
from collections.abc import Callable
from typing import TypeAlias

from sixgate.api import Json
from sixgate.authoring.vault_orders import (
    Orderer,
    VaultId,
    change_key,
    change_provider_root,
)
from sixgate.cli.declare import Option, command, flag
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import NAME
from sixgate.cli.render import Answer, View
from sixgate.cli.session import Session, shows
from sixgate.cli.terminal import notice, progress
from sixgate.cli.vault_options import account_option, vault_argument

POLL_S = 0.1
STALL_TIMEOUT_S = 10.0
"""Time without progress after which the command ends; the signer continues alone."""
Remaining: TypeAlias = Callable[[Json], int]


def _rotated(made: Json, *, done: str) -> list[View]:
    notice(done)
    if made["left"]:
        rest = f"{made['left']} are not rewrapped yet"
        notice(f"{rest}: the signer continues, see sixgate vaults show.")
    return []


@command(
    "rotate-key",
    example="prod --account treasury\n"
    "prod --account treasury --root\n"
    "cold --account treasury --root --provider aws",
)
@vault_argument
@account_option
@flag("--root", "Keep the key and rewrap it under the root key in the settings.")
@Option(
    "--provider",
    "With --root: the provider whose shares are rewrapped under its new root key.",
    type=NAME,
)
@shows(_rotated)
def rotate_key(
    here: Session, *, vault: str, account: str | None, root: bool, provider: str | None
) -> Answer:
    """Rotate a vault's key (KEK) and rewrap its contents, which stay readable.

    With --root, keep the key and rewrap it under the root key in the signer's settings. With --root
    --provider, rewrap that provider's shares under its new root key.
    """
    if provider is not None and not root:
        fail_usage("--provider selects shares under a root key: add --root")
    vault_id = VaultId(here.account(account), vault)
    found = here.vault(*vault_id)
    by = here.orderer()
    if provider is not None:
        made, remaining = _move_shares(by, found, vault_id, provider)
        done = f"the shares of {provider} under the root key in the signer's settings"
    else:
        made, remaining = _change_key(by, found, vault_id, root=root)
        under_root = "its key under the root key in the signer's settings"
        done = under_root if root else "a new key; its contents are rewrapped"
    left = _wait_for_rewrap(here, vault_id, remaining)
    return Answer(made | {"left": left}, done=f"{vault} of {vault_id.account} has {done}.")


def _change_key(
    by: Orderer, found: Json, vault_id: VaultId, *, root: bool
) -> tuple[Json, Remaining]:
    changes = by.api.vault(*vault_id)["key_changes"]
    if changes is None and found["providers"]:
        raise CommandError(
            ExitCode.REFUSED,
            f"{found['vault']} has no vault key, as its providers hold shares of each secret: "
            "use --root --provider NAME to move a provider's shares under its new root key",
        )
    if changes is None:
        why = f"{found['vault']} has no key yet: it gets one with the first secret, so store one"
        raise CommandError(ExitCode.REFUSED, why)
    made = change_key(by, vault_id, "root" if root else "kek", changes + 1)
    return made, lambda now: int(now["behind"])


def _move_shares(
    by: Orderer, found: Json, vault_id: VaultId, provider: str
) -> tuple[Json, Remaining]:
    if provider not in found["providers"]:
        held = ", ".join(found["providers"])
        why = f"the holders are {held}" if held else "the vault has its own key and no shares"
        sentence = f"{provider} holds no share in {found['vault']}: {why}"
        raise CommandError(ExitCode.REFUSED, sentence)
    before = by.api.vault(*vault_id)["roots"].get(provider, {"changes": 0})
    made = change_provider_root(by, vault_id, provider, before["changes"] + 1)
    return made, lambda now: int(now["roots"][provider]["left"])


def _wait_for_rewrap(here: Session, vault_id: VaultId, remaining: Remaining) -> int:
    """Show progress until all is rewrapped or the timeout passes; return the remaining number."""
    total = least = remaining(here.api.vault(*vault_id))
    until_s = time.monotonic() + STALL_TIMEOUT_S
    with progress("rewrapping", total) as bar:
        while least and time.monotonic() < until_s:
            time.sleep(POLL_S)
            now = remaining(here.api.vault(*vault_id))
            if now < least:
                least, until_s = now, time.monotonic() + STALL_TIMEOUT_S
                bar.show(total - least, total)
    return least
