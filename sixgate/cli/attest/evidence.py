"""``sixgate attest``: a signer's evidence, fetched for a nonce of one's own."""

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
from sixgate.cli.attest.attested import SIMULATED
from sixgate.cli.config_option import Config, use_config
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import DATA_DEFAULT, Data
from sixgate.cli.session import session, usage
from sixgate.cli.terminal import notices, print_json, safe
from sixgate.data_folder.folder import Folder

Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the evidence here.")]


def attest(
    context: typer.Context,
    *,
    nonce: Annotated[
        str | None, typer.Option(metavar="HEX", help="32 to 64 random bytes of your own.")
    ] = None,
    out: Out = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="http://HOST:PORT", help="A signer on Kafka, by its health port."),
    ] = None,
    data: Data = DATA_DEFAULT,
    config: Config = None,
) -> None:
    """Fetch a signer's evidence for a nonce, verify it, show the boots that decided."""
    use_config(config)
    if context.invoked_subcommand is not None:
        return
    if nonce is None:
        usage("evidence is made for a nonce of yours: --nonce HEX, 32 to 64 random bytes")
    if out:
        Folder(data).check_outside(out)
    file = _checked(_asked(url, nonce, data), nonce)
    if is_simulated(file):
        notices().print(safe(SIMULATED, "bold red"), soft_wrap=True)
    if out is None:
        print_json(file.plain())
    else:
        keep(file, out, f" --nonce {file.nonce}")


def keep(file: EvidenceFile, out: Path, more: str) -> None:
    """Write evidence to a file and say what proves it."""
    write_atomic(out, file.encode(), replace=True)
    told = f"The evidence is in {out}: sixgate attest verify {out} --policy FILE{more}"
    notices().print(safe(told), soft_wrap=True)


def is_simulated(file: EvidenceFile) -> bool:
    """Tell whether evidence comes from the simulated platform that everybody has the keys of."""
    return f"0x{root_digest(file.certificates.encoded())}" == SIMULATED_ROOT


def _asked(url: str | None, nonce: str, data: Path) -> Json:
    if url is None:
        with session(data) as here:
            return here.api.attestation(nonce)
    from sixgate.scaled.attestation_page import fetch  # not for every command
    from sixgate.scaled.probe import parse_address

    try:
        at = parse_address(url)
    except ValueError as error:
        usage(f"--url {url!a} is {error}")
    return fetch(at, nonce)


def _checked(answer: Json, nonce: str) -> EvidenceFile:
    """Return the evidence if it is for this nonce: a wrong one is told before it is kept."""
    try:
        file = EvidenceFile.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        told = f"what was answered is no evidence: {malformed(error)}"
        raise CommandError(ExitCode.NOT_ATTESTED, told) from None
    if file.nonce != f"0x{nonce.removeprefix('0x').lower()}":
        told = "the evidence is for another nonce than was asked with: ask again"
        raise CommandError(ExitCode.NOT_ATTESTED, told)
    return file
