"""``sixgate vaults backup`` and ``restore``: vault events to a file and back."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from schemas.keys.vault_backup import (
    LINE_BYTES_MAX,
    BackedUpVault,
    Backup,
    BackupError,
    BackupHeader,
    backup_lines,
    read_backup,
)
from schemas.topics import Principal
from signer.custody.atomic_write import MODE_PRIVATE, atomic_file
from sixgate.api import Json
from sixgate.cli.declare import Option, argument, command
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import (
    DATA_DEFAULT,
    FILE,
    config_file,
    config_option,
    data_option,
    process_settings,
)
from sixgate.cli.session import Session, connected_as, entry, with_session
from sixgate.cli.terminal import Bar, notice, progress
from sixgate.cli.vault_options import VAULT, account_option
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.operate.restoration import RestoreError, VaultEventError, VaultLine, vault_lines

_file = argument("FILE", "Backup file.", type=FILE)


@command("backup", example="vaults.jsonl\nprod.jsonl --vault prod --account treasury")
@_file
@Option("--vault", "One vault.", type=VAULT, show_default="all")
@account_option
@with_session
def backup(here: Session, *, file: Path, vault: str | None, account: str | None) -> None:
    """Write the events of all vaults, or of one, to a new file; secrets stay encrypted."""
    here.folder.check_outside(file)
    vault_id = None if vault is None else (here.account(account), vault)
    if vault_id is not None:
        here.vault(*vault_id)
    lines = [line for line in _lines(here) if vault_id in (None, line.vault_id)]
    header = _header(here, lines)
    with atomic_file(file, replace=False, mode=MODE_PRIVATE) as out:
        out.writelines(backup_lines(header, (line.raw for line in lines)))
    notice(f"Wrote {len(lines)} events to {file}.")


@command("restore", example="vaults.jsonl")
@_file
@data_option
@config_option
def restore(*, file: Path, data: Path) -> None:
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
    notice(f"Restored {count} events." if count else "Nothing to restore: all events exist.")


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
        for vault_id, vault in here.vaults().items()
        if vault_id in vault_ids
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
    if config_file() is None:
        from sixgate.operate.restore_embedded import restore as into_folder

        folder = Folder(data)
        folder.trust()
        with folder.ownership_lock():
            return into_folder(folder, found)
    from sixgate.operate.restore_kafka import restore as onto_kafka

    settings = process_settings()
    folder = Folder(settings.data if data == DATA_DEFAULT else data)
    with connected_as(Principal.SIGNER):
        return onto_kafka(settings, folder, found)
