"""``sixgate vaults backup`` and ``restore``: vault events to a file and back."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from schemas.topics import Principal
from schemas.vault_backup import (
    LINE_BYTES_MAX,
    BackedUpVault,
    Backup,
    BackupError,
    BackupHeader,
    backup_lines,
    read_backup,
)
from signer.custody.atomic_write import MODE_PRIVATE, atomic_file
from signer.vaults.restoration import RestoreError, VaultEventError, VaultLine, vault_lines
from sixgate.api import Json
from sixgate.cli.entries import entry
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.identities import connected_as
from sixgate.cli.progress import Bar, progress
from sixgate.cli.session import Session, fail_usage, session
from sixgate.cli.terminal import notices
from sixgate.cli.typer_config import config_file
from sixgate.cli.typer_options import DATA_DEFAULT, Data
from sixgate.cli.vaults.options import Account, MaybeVault
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder

File = Annotated[Path, typer.Argument(metavar="FILE", help="Backup file.")]


def backup(
    *,
    file: File,
    vault: MaybeVault = None,
    account: Account = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Write the events of all vaults, or of one, to a new file; secrets stay encrypted."""
    with session(data) as here:
        here.folder.check_outside(file)
        vault_id = None if vault is None else (here.account(account), vault)
        if vault_id is not None:
            here.vault(*vault_id)
        lines = [line for line in _lines(here) if vault_id in (None, line.vault_id)]
        header = _header(here, lines)
        with atomic_file(file, replace=False, mode=MODE_PRIVATE) as out:
            out.writelines(backup_lines(header, (line.raw for line in lines)))
    notices().print(f"Wrote {len(lines)} events to {file}.", highlight=False, soft_wrap=True)


def restore(*, file: File, data: Data = DATA_DEFAULT) -> None:
    """Append the missing events of a backup to the vault topic; nothing is rolled back.

    The command is idempotent. Stop sixgate up, or the signers, first.
    """
    found = _read(file)
    try:
        with progress("restoring"):
            count = _restored(found, data)
    except RestoreError as error:
        raise CommandError(ExitCode.REFUSED, f"{file}: {error}") from None
    except VaultEventError as error:
        raise _halted(error) from None
    done = f"Restored {count} events." if count else "Nothing to restore: all events exist."
    notices().print(done, highlight=False)


def _halted(error: VaultEventError) -> CommandError:
    why = f"the vault topic holds {error}: signers halt there too, so restore the topic first"
    return CommandError(ExitCode.HALTED, why)


def _lines(here: Session) -> list[VaultLine]:
    try:
        with progress("reading vault events") as bar:
            return vault_lines(_counted(here.api.vault_events(), bar))
    except VaultEventError as error:
        raise _halted(error) from None


def _counted(events: Iterable[Json], bar: Bar) -> Iterator[bytes]:
    for done, event in enumerate(events, 1):
        bar.show(done)
        yield event["event"].encode()


def _header(here: Session, lines: list[VaultLine]) -> BackupHeader:
    vault_ids = {line.vault_id for line in lines}
    vaults = [
        entry(BackedUpVault, **{name: vault[name] for name in BackedUpVault.model_fields})
        for vault in here.registry["vaults"]
        if (vault["account"], vault["vault"]) in vault_ids
    ]
    return BackupHeader(
        org=here.registry["org"], made_at_ms=wall_ms(), events=len(lines), vaults=tuple(vaults)
    )


def _read(file: Path) -> Backup:
    try:
        with file.open("rb") as lines:
            return read_backup(iter(lambda: lines.readline(LINE_BYTES_MAX), b""))
    except BackupError as error:
        fail_usage(f"{file} {error}")


def _restored(found: Backup, data: Path) -> int:
    if (settings_file := config_file()) is None:
        from sixgate.embedded.restoring import restore as into_folder  # slow

        folder = Folder(data)
        folder.trust()
        with folder.ownership_lock():
            return into_folder(folder, found)
    from sixgate.scaled.restoring import restore as onto_kafka
    from sixgate.scaled.settings import load_settings

    settings = load_settings(settings_file)
    folder = Folder(settings.data if data == DATA_DEFAULT else data)
    with connected_as(Principal.SIGNER):
        return onto_kafka(settings, folder, found)
