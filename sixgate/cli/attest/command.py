"""``sixgate attest verify``: verifies evidence offline, without any server."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from signer.attestation.binding import Purpose
from signer.attestation.certificates import root_digest
from signer.attestation.errors import AttestationError
from signer.attestation.evidence import EvidenceFile
from signer.attestation.policy import VerificationPolicy
from signer.attestation.public_root import SIMULATED_ROOT
from signer.attestation.report import REPORT_DATA_BYTES
from signer.attestation.verify import Verified
from signer.attestation.verify import verify as verify_evidence
from sixgate.cli.attest import boots
from sixgate.cli.attest.evidence import attest
from sixgate.cli.attest.views import (
    SIMULATED,
    claim_rows,
    properties,
    step_rows,
    steps,
    verified_json,
)
from sixgate.cli.canonical_files import read_canonical
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.render import Listing, Sheet, show
from sixgate.cli.session import fail_usage
from sixgate.cli.terminal import print_json, safe, screen
from sixgate.cli.times import parse_time_ms
from sixgate.cli.typer_options import AsJson
from sixgate.clocks import wall_ms

EXAMPLES = """Examples: sixgate attest --nonce 0x… --out evidence.json

sixgate attest verify evidence.json --policy policy.json --nonce 0x…"""
app = typer.Typer(no_args_is_help=True, invoke_without_command=True, epilog=EXAMPLES)
app.callback()(attest)
app.command("boots", epilog="Example: sixgate attest boots")(boots.list_)
app.command(
    "boot", epilog="Example: sixgate attest boot 0x3fa9 --policy policy.json --out evidence.json"
)(boots.show_)


@app.command(
    epilog="Examples: sixgate attest verify evidence.json --policy policy.json --nonce 0x…\n\n"
    "sixgate attest verify evidence.json --policy policy.json --at 2026-01-31 --json"
)
def verify(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Evidence.")],
    policy: Annotated[Path, typer.Option(metavar="FILE", help="Verification policy.")],
    nonce: Annotated[
        str | None,
        typer.Option(metavar="HEX", show_default="the file's", help="Nonce you sent."),
    ] = None,
    report_data: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Expected REPORT_DATA, for evidence not from Sixgate."),
    ] = None,
    purpose: Annotated[
        Purpose | None,
        typer.Option(show_default="the policy's", help="Expected purpose of the evidence."),
    ] = None,
    at: Annotated[str, typer.Option(metavar="TIME", help="Time of verification.")] = "now",
    as_json: AsJson = False,
) -> None:
    """Verify evidence offline, step by step. Exit code 14 means it fails."""
    evidence = read_canonical(file, EvidenceFile)
    accepted = read_canonical(policy, VerificationPolicy)
    if purpose is not None:
        accepted = accepted.for_purpose(purpose)
    expected = _expected(file, evidence, accepted, nonce, report_data)
    at_ms = _moment(at)
    ours = nonce is not None or report_data is not None
    root = f"0x{root_digest(evidence.certificates.encoded())}"
    simulated = root in (accepted.simulated_root, SIMULATED_ROOT)
    try:
        found = verify_evidence(evidence.evidence(), accepted, expected, at_ms)
    except AttestationError as error:
        _refuse(file, error, simulated=simulated, as_json=as_json)
    if as_json:
        print_json(
            {"verified": True, "nonce_is_ours": ours, "steps": steps(None)} | verified_json(found)
        )
    else:
        _show(found, evidence, ours=ours, bound=report_data is None)


def _show(found: Verified, evidence: EvidenceFile, *, ours: bool, bound: bool) -> None:
    _show_steps(None, simulated=found.simulated)
    proven = properties(found, nonce_is_ours=ours)
    show(Sheet("Verified", proven + (claim_rows(evidence) if bound else [])), screen())


def _refuse(file: Path, error: AttestationError, *, simulated: bool, as_json: bool) -> NoReturn:
    if as_json:
        why = {"code": error.code, "why": str(error)}
        print_json({"verified": False, "simulated": simulated, "steps": steps(error)} | why)
    else:
        _show_steps(error, simulated=simulated)
    sentence = f"{file} fails verification at step {error.step}: {error} ({error.code})"
    raise CommandError(ExitCode.NOT_ATTESTED, sentence)


def _show_steps(error: AttestationError | None, *, simulated: bool) -> None:
    out = screen()
    if simulated:
        out.print(safe(SIMULATED, "bold red"), soft_wrap=True)
    show(Listing(("step", "result", "proves"), step_rows(error), right=("step",)), out)


def _expected(
    file: Path,
    evidence: EvidenceFile,
    policy: VerificationPolicy,
    nonce: str | None,
    report_data: str | None,
) -> bytes:
    """Return the expected REPORT_DATA. The evidence supplies the claims, but never the result."""
    if report_data is not None:
        expected = _bytes("--report-data", report_data)
        if len(expected) != REPORT_DATA_BYTES or nonce is not None:
            fail_usage(
                f"--report-data takes {REPORT_DATA_BYTES} bytes in hex, and excludes --nonce"
            )
        return expected
    sent = None if nonce is None else _bytes("--nonce", nonce)
    try:
        binding = evidence.binding(policy.purpose, sent)
    except ValueError as error:
        fail_usage(f"--nonce: {error}")
    if binding is None:
        fail_usage(
            f"{file} lacks a nonce or claims: give the expected REPORT_DATA with --report-data"
        )
    return binding.report_data()


def _bytes(option: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        fail_usage(f"{option} is not hex with two digits per byte")


def _moment(text: str) -> int:
    try:
        return parse_time_ms(text, wall_ms())
    except ValueError as error:
        fail_usage(str(error))
