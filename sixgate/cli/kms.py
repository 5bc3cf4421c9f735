"""``sixgate kms``: checks the key management services that hold root keys."""

import secrets
from pathlib import Path

from signer.custody.errors import (
    CustodyError,
    KmsDeniedError,
    KmsKeyNotFoundError,
    KmsKeyWeakError,
    KmsUnavailableError,
)
from sixgate.api import Json
from sixgate.cli.declare import group
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.options import config_file, config_option, data_option, process_settings
from sixgate.cli.render import Answer, Field, prints, table
from sixgate.config.kms import KmsSettings, LocalSection
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from sixgate.kms.check import Finding, check_kms
from sixgate.kms.factory import providers

CODES: dict[type[CustodyError], ExitCode] = {
    KmsUnavailableError: ExitCode.UNREACHABLE,
    KmsDeniedError: ExitCode.REFUSED,
    KmsKeyNotFoundError: ExitCode.NOT_FOUND,
    KmsKeyWeakError: ExitCode.WEAKER,
}
app = group("kms", example="check --config sixgate.toml")
_CHECKS = table(
    Field("provider"),
    Field("state", lambda one: one["state"] or ""),
    Field("protection", lambda one: one["protection"] or ""),
    Field("wrap ms", lambda one: _ms(one["wrap_ms"]), right=True),
    Field("unwrap ms", lambda one: _ms(one["unwrap_ms"]), right=True),
    Field("result", lambda one: "failed" if one["failure"] else "ok"),
    details=lambda one: [each for each in (one["key_id"], one["failure"]) if each],
)


@app.command("check", example="\n--config sixgate.toml --json")
@prints(_CHECKS)
@data_option
@config_option
def check(*, data: Path) -> Answer:
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
    return Answer([_plain(one) for one in found], failure=_first_failure(found))


def _settings(data: Path) -> KmsSettings:
    if config_file() is None:
        folder = Folder(data)
        folder.trust()  # report a missing folder before a missing root key
        return KmsSettings(local=LocalSection(root=folder.root_key), insecure_dev=True)
    return process_settings().kms


def _plain(found: Finding) -> Json:
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


def _ms(duration_ms: float | None) -> str:
    return "" if duration_ms is None else f"{duration_ms:.1f}"


def _first_failure(found: list[Finding]) -> CommandError | None:
    failures = [finding.failure for finding in found if finding.failure]
    if not failures:
        return None
    more = f" ({len(failures) - 1} more failed: see above)" if len(failures) > 1 else ""
    return CommandError(CODES.get(type(failures[0]), ExitCode.HALTED), f"{failures[0]}{more}")
