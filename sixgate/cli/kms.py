"""``sixgate kms``: checks the key management services that hold root keys."""

import secrets
from pathlib import Path
from typing import Any

import typer

from signer.custody.errors import (
    CustodyError,
    KmsDeniedError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
)
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.render import Listing, Row, show
from sixgate.cli.terminal import print_json, screen
from sixgate.cli.typer_config import config_file
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.kms.check import Finding, check_kms
from sixgate.kms.factory import providers
from sixgate.settings.kms import KmsSettings, LocalSection

CODES: dict[type[CustodyError], ExitCode] = {
    KmsUnavailableError: ExitCode.UNREACHABLE,
    KmsDeniedError: ExitCode.REFUSED,
    KmsKeyNotFoundError: ExitCode.NOT_FOUND,
    KmsKeyWeakError: ExitCode.WEAKER,
}
COLUMNS = ("provider", "state", "protection", "wrap ms", "unwrap ms", "result")
app = typer.Typer(
    no_args_is_help=True,
    help="Check the key management services that hold root keys.",
    epilog="Example: sixgate kms check --config sixgate.toml",
)


@app.command(epilog="Examples: sixgate kms check\n\nsixgate kms check --config sixgate.toml --json")
def check(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """Show state and protection level of each KMS key, and the time of a round trip.

    Without settings, checks the software KMS of the data folder.
    """
    settings = _settings(data)
    opened, required = providers(settings), not settings.insecure_dev
    if settings.secrets is not None:
        opened |= {f"secrets.{name}": kms for name, kms in providers(settings.secrets).items()}
    if not opened:
        raise SettingsError("the settings name no KMS: add a section [kms.gcp], .aws or .azure")
    found = [
        check_kms(name, open_kms, secrets.token_bytes, hsm_required=required)
        for name, open_kms in opened.items()
    ]
    if as_json:
        print_json([_plain(finding) for finding in found])
    else:
        show(Listing(COLUMNS, [_row(finding) for finding in found], COLUMNS[3:5]), screen())
    _refuse(found)


def _settings(data: Path) -> KmsSettings:
    file = config_file()
    if file is None:
        folder = Folder(data)
        folder.trust()  # report a missing folder before a missing root key
        return KmsSettings(local=LocalSection(root=folder.root_key), insecure_dev=True)
    from sixgate.scaled.settings import load_settings  # slow: imports Kafka

    return load_settings(file).kms


def _plain(found: Finding) -> dict[str, Any]:
    status, round_trip = found.status, found.round_trip
    return {
        "provider": found.provider,
        "key_id": found.key_id,
        "state": status and status.state,
        "protection": status and status.protection,
        "wrap_ms": round_trip and round(round_trip.wrap_ms, 3),
        "unwrap_ms": round_trip and round(round_trip.unwrap_ms, 3),
        "failure": None if found.failure is None else str(found.failure),
    }


def _row(found: Finding) -> Row:
    status, round_trip = found.status, found.round_trip
    cells = (
        found.provider,
        status.state if status else "",
        status.protection if status else "",
        f"{round_trip.wrap_ms:.1f}" if round_trip else "",
        f"{round_trip.unwrap_ms:.1f}" if round_trip else "",
        "failed" if found.failure else "ok",
    )
    return Row(cells, [each for each in (found.key_id, found.failure) if each])


def _refuse(found: list[Finding]) -> None:
    """End the command with the first failure, if there is one."""
    failures = [finding.failure for finding in found if finding.failure]
    if failures:
        more = f" ({len(failures) - 1} more failed: see above)" if len(failures) > 1 else ""
        code = CODES.get(type(failures[0]), ExitCode.HALTED)
        raise CommandError(code, f"{failures[0]}{more}")
