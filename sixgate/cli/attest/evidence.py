"""``sixgate attest``: fetches a signer's evidence for the caller's nonce."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas.canonical import malformed
from signer.attestation.certificates import root_digest
from signer.attestation.evidence import EvidenceFile
from signer.attestation.public_root import SIMULATED_ROOT
from signer.custody.atomic_write import write_atomic
from sixgate.api import Json
from sixgate.cli.attest.views import SIMULATED
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.session import fail_usage, session
from sixgate.cli.terminal import notices, print_json, safe
from sixgate.cli.typer_config import Config, use_config
from sixgate.cli.typer_options import DATA_DEFAULT, Data
from sixgate.data_folder.folder import Folder

Out = Annotated[Path | None, typer.Option(metavar="FILE", help="File for the evidence.")]


def attest(
    context: typer.Context,
    *,
    nonce: Annotated[
        str | None, typer.Option(metavar="HEX", help="Your nonce: 32 to 64 random bytes.")
    ] = None,
    out: Out = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="http://HOST:PORT", help="Health port of a signer on Kafka."),
    ] = None,
    data: Data = DATA_DEFAULT,
    config: Config = None,
) -> None:
    """Fetch a signer's evidence for a nonce, verify evidence, list signer boots."""
    use_config(config)
    if context.invoked_subcommand is not None:
        return
    if nonce is None:
        fail_usage("evidence needs your nonce: give --nonce HEX, 32 to 64 random bytes")
    if out:
        Folder(data).check_outside(out)
    file = _matching(_fetched(url, nonce, data), nonce)
    if is_simulated(file):
        notices().print(safe(SIMULATED, "bold red"), soft_wrap=True)
    if out is None:
        print_json(file.plain())
    else:
        write_evidence(file, out, f" --nonce {file.nonce}")


def write_evidence(file: EvidenceFile, out: Path, more: str) -> None:
    """Write evidence to a file and print the command that verifies it."""
    write_atomic(out, file.encode(), replace=True)
    command = f"sixgate attest verify {out} --policy FILE{more}"
    notices().print(safe(f"The evidence is in {out}. Verify it: {command}"), soft_wrap=True)


def is_simulated(file: EvidenceFile) -> bool:
    """Return whether evidence comes from the simulated platform, whose keys are public."""
    return f"0x{root_digest(file.certificates.encoded())}" == SIMULATED_ROOT


def _fetched(url: str | None, nonce: str, data: Path) -> Json:
    if url is None:
        with session(data) as here:
            return here.api.attestation(nonce)
    from sixgate.scaled.attestation_page import fetch  # slow
    from sixgate.scaled.probe import parse_address

    try:
        at = parse_address(url)
    except ValueError as error:
        fail_usage(f"--url {url!a} is {error}")
    return fetch(at, nonce)


def _matching(answer: Json, nonce: str) -> EvidenceFile:
    """Return the evidence if it is for this nonce; nothing else is written to a file."""
    try:
        file = EvidenceFile.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        why = f"the signer's response is not evidence: {malformed(error)}"
        raise CommandError(ExitCode.NOT_ATTESTED, why) from None
    if file.nonce != f"0x{nonce.removeprefix('0x').lower()}":
        why = "the evidence is for another nonce than the one sent: retry"
        raise CommandError(ExitCode.NOT_ATTESTED, why)
    return file
