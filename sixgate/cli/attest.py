"""``sixgate attest``: fetches a signer's evidence for the caller's nonce, and verifies evidence."""

import json
from pathlib import Path

import click
from pydantic import ValidationError

from schemas.canonical import malformed
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.certificates import root_digest
from signer.attestation.verify.errors import EvidenceError
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.policy import SIMULATED_ROOT, VerificationPolicy
from signer.attestation.verify.report import REPORT_DATA_BYTES
from signer.attestation.verify.verify import verify as verify_evidence
from sixgate.api import Json
from sixgate.cli.attest_boots import boot, boots, write_evidence
from sixgate.cli.attest_views import (
    claim_rows,
    properties,
    simulated_warning,
    step_list,
    steps,
    verified_json,
)
from sixgate.cli.declare import Group, Option, argument
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.files import read_canonical
from sixgate.cli.options import FILE, TIME, config_option, data_option
from sixgate.cli.render import Answer, Sheet, prints, show
from sixgate.cli.session import session
from sixgate.cli.terminal import notices, print_json
from sixgate.data_folder.folder import Folder


@click.group(
    cls=Group,
    invoke_without_command=True,
    example="--nonce 0x… --out evidence.json\n"
    "verify evidence.json --policy policy.json --nonce 0x…",
)
@Option("--nonce HEX", "Your nonce: 32 to 64 random bytes.")
@Option("--out FILE", "File for the evidence.", type=FILE)
@Option("--url http://HOST:PORT", "Health port of a signer on Kafka.")
@data_option
@config_option
def app(*, nonce: str | None, out: Path | None, url: str | None, data: Path) -> None:
    """Fetch a signer's evidence for a nonce, verify evidence, list signer boots."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    if nonce is None:
        fail_usage("evidence needs your nonce: give --nonce HEX, 32 to 64 random bytes")
    if out:
        Folder(data).check_outside(out)
    file = _matching(_fetched(url, nonce, data), nonce)
    for warning in simulated_warning(simulated=_root(file) == SIMULATED_ROOT):
        show(warning, notices())
    if out is None:
        print_json(file.plain())
    else:
        write_evidence(file, out, f" --nonce {file.nonce}")


app.add_command(boots)
app.add_command(boot)


@app.command(
    "verify",
    example="evidence.json --policy policy.json --nonce 0x…\n"
    "evidence.json --policy policy.json --at 2026-01-31 --json",
)
@argument("FILE", "Evidence.", type=FILE)
@Option("--policy FILE", "Verification policy.", type=FILE, required=True)
@Option("--nonce HEX", "Nonce you sent.", show_default="the file's")
@Option("--report-data HEX", "Expected REPORT_DATA, for evidence not from Sixgate.")
@Option(
    "--purpose",
    "Expected purpose of the evidence.",
    type=click.Choice([purpose.value for purpose in Purpose]),
    show_default="the policy's",
)
@Option("--at", "Time of verification.", type=TIME, default="now")
@prints(lambda _result, *, views: views)
def verify(
    *,
    file: Path,
    policy: Path,
    nonce: str | None,
    report_data: str | None,
    purpose: str | None,
    at: int,
) -> Answer:
    """Verify evidence offline, step by step. Exit code 14 means it fails."""
    evidence = read_canonical(file, EvidenceFile)
    accepted = read_canonical(policy, VerificationPolicy)
    if purpose is not None:
        accepted = accepted.for_purpose(Purpose(purpose))
    expected = _expected(file, evidence, accepted, nonce, report_data)
    simulated = _root(evidence) in (accepted.simulated_root, SIMULATED_ROOT)
    try:
        found = verify_evidence(evidence.evidence(), accepted, expected, at)
    except EvidenceError as error:
        why = {"code": error.code, "why": str(error)}
        refused = {"verified": False, "simulated": simulated, "steps": steps(error)} | why
        sentence = f"{file} fails verification at step {error.step}: {error} ({error.code})"
        failure = CommandError(ExitCode.NOT_ATTESTED, sentence)
        return Answer(
            refused,
            failure=failure,
            views=[*simulated_warning(simulated=simulated), step_list(error)],
        )
    ours = nonce is not None or report_data is not None
    proven = properties(found, nonce_is_ours=ours)
    if report_data is None:
        proven += claim_rows(evidence)
    shown = {"verified": True, "nonce_is_ours": ours, "steps": steps(None)} | verified_json(found)
    warning = simulated_warning(simulated=found.simulated)
    return Answer(shown, views=[*warning, step_list(None), Sheet("Verified", proven)])


def _root(evidence: EvidenceFile) -> str:
    """Return the digest of the root of trust; keys under the simulated platform's are public."""
    return f"0x{root_digest(evidence.certificates.encoded())}"


def _fetched(url: str | None, nonce: str, data: Path) -> Json:
    if url is None:
        with session(data) as here:
            return here.api.attestation(nonce)
    from sixgate.services.attestation_client import fetch
    from sixgate.services.probe import parse_address

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
