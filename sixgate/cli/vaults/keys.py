"""``sixgate vaults rotate-key``: new keys above what lies in a vault, and how far that has come."""

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
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.progress import progress
from sixgate.cli.secrets.parties import orderer
from sixgate.cli.session import Session, session, usage
from sixgate.cli.terminal import notices, print_json
from sixgate.cli.vaults.options import Account, Provider, Root, Vault

POLL_S = 0.1
STILL_S = 10.0
"""How long nothing may get on before the command ends and leaves the rest to the signer."""
Left: TypeAlias = Callable[[Json], int]


def rotate_key(
    *,
    vault: Vault,
    account: Account = None,
    root: Root = False,
    provider: Provider = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Give a vault a new key; what lies in it is wrapped anew, and stays readable all the while.

    With --root the vault keeps its key, and that is wrapped by the root which the signer's settings
    name now; with --root --provider it is this provider's shares that come under its new root.
    """
    if provider is not None and not root:
        usage("a provider holds shares under its root: say --root besides --provider")
    with session(data) as here:
        place = VaultId(here.account(account), vault)
        found = here.vault(*place)
        by = orderer(here)
        if provider is not None:
            made, left = _move_shares(by, found, place, provider)
        else:
            made, left = _change_key(by, found, place, root=root)
        rest = _watch(here, place, left)
    if as_json:
        print_json(made | {"left": rest})
        return
    told = _told(root=root, provider=provider)
    notices().print(f"{vault} of {place.account} has {told}.", highlight=False)
    if rest:
        notices().print(f"{rest} are yet to come: the signer goes on, see sixgate vaults show.")


def _change_key(by: Orderer, found: Json, place: VaultId, *, root: bool) -> tuple[Json, Left]:
    changes = by.api.vault(*place)["key_changes"]
    if changes is None:
        raise CommandError(ExitCode.REFUSED, _without_key(found))
    made = change_key(by, place, "root" if root else "kek", changes + 1)
    return made, lambda now: int(now["behind"])


def _move_shares(by: Orderer, found: Json, place: VaultId, provider: str) -> tuple[Json, Left]:
    if provider not in found["providers"]:
        raise CommandError(ExitCode.REFUSED, _holds_none(found, provider))
    before = by.api.vault(*place)["roots"].get(provider, {"changes": 0})
    made = change_provider_root(by, place, provider, before["changes"] + 1)
    return made, lambda now: int(now["roots"][provider]["left"])


def _watch(here: Session, place: VaultId, left: Left) -> int:
    """Show what gets on until all did, or nothing does for a while; return how much is left."""
    total = least = left(here.api.vault(*place))
    until_s = time.monotonic() + STILL_S
    with progress("wrapping anew", total) as bar:
        while least and time.monotonic() < until_s:
            time.sleep(POLL_S)
            now = left(here.api.vault(*place))
            if now < least:
                least, until_s = now, time.monotonic() + STILL_S
                bar.show(total - least, total)
    return least


def _told(*, root: bool, provider: str | None) -> str:
    if provider is not None:
        return f"the shares of {provider} under the root that the settings name now"
    if root:
        return "its key under the root that the settings name now"
    return "a new key; what it has is wrapped anew"


def _without_key(found: Json) -> str:
    if found["providers"]:
        return (
            f"{found['vault']} has no key of its own: its providers hold shares of every secret; "
            "--root --provider NAME puts one provider's shares under its new root"
        )
    return f"{found['vault']} has no key yet: it gets one with the first secret"


def _holds_none(found: Json, provider: str) -> str:
    held = ", ".join(found["providers"]) or "no provider does, as it has a key of its own"
    return f"{provider} holds no share in {found['vault']}: {held}"
