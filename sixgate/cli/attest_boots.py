"""``sixgate attest boots`` and ``boot``: verifies the machine that decided an outcome.

1. Read the outcome, and the record of the boot that it names, from the ledger. Neither is trusted.
2. ``named_signer`` verifies that a registered key of the named signer signed the outcome.
3. ``check_boot`` verifies the record of the boot and its evidence under the policy.
"""

import base64
import re
from pathlib import Path

import click

from schemas.canonical import MalformedError
from schemas.keys.boot import BootFacts, SignerBoot
from schemas.redaction import signed_part
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.boot_check import BootVerificationError, ExpectedSigner, check_boot
from signer.attestation.verify.errors import EvidenceError
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.verify import Verified
from signer.core.signatures import signature_is_valid
from signer.custody.atomic_write import write_atomic
from sixgate.api import Json
from sixgate.cli.attest_views import properties, simulated_warning, verified_json
from sixgate.cli.declare import Option, argument, command
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.files import read_canonical
from sixgate.cli.formats import format_time
from sixgate.cli.options import FILE, TIME
from sixgate.cli.outcomes import trail_of
from sixgate.cli.render import Answer, Field, Sheet, View, table
from sixgate.cli.session import Session, shows
from sixgate.cli.terminal import notice

BOOT = """SELECT body, at_ms FROM ledger
WHERE topic = 'boots' AND event_id = '{boot}' ORDER BY seq LIMIT 1"""
LISTED = """SELECT event_id, min(JSONExtractString(body, 'facts', 'signer')) AS signer,
    min(JSONExtractUInt(body, 'facts', 'started_at_ms')) AS started_at_ms,
    min(JSONExtractBool(body, 'simulated')) AS simulated
FROM ledger WHERE topic = 'boots' AND type = 'signer.boot'
GROUP BY event_id ORDER BY min(seq) DESC LIMIT {limit}"""
_DIGEST = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


def _platform(boot: Json) -> str:
    return "simulated, proves nothing" if boot["simulated"] else "a machine: verify it"


_BOOTS = table(
    Field("boot"),
    Field("signer"),
    Field("started", lambda boot: format_time(boot["started_at_ms"])),
    Field("claims", _platform),
)


@command("boots", example="")
@Option("--limit", "Maximum number of boots.", type=click.IntRange(1, 10_000), default=20)
@shows(_BOOTS)
def boots(here: Session, *, limit: int) -> list[Json]:
    """List signer boots that decided intents, newest first, without verifying them."""
    found = here.api.sql(LISTED.format(limit=limit))["rows"]
    return [
        {"boot": boot, "signer": signer, "started_at_ms": at_ms, "simulated": bool(simulated)}
        for boot, signer, at_ms, simulated in found
    ]


def _boot_view(found: Json, *, facts: BootFacts, verified: Verified) -> list[View]:
    about = [
        ("intent", found["intent"]),
        ("boot", found["boot"]),
        ("signer", f"{facts.signer}, with key {facts.public_key}"),
        ("started", format_time(facts.started_at_ms)),
        ("registry", f"record {facts.registry_sequence}: {facts.registry}"),
        ("key set", facts.key_set),
        ("configuration", facts.configuration),
    ]
    machine = [pair for pair in properties(verified, nonce_is_ours=True) if pair[0] != "freshness"]
    warning = simulated_warning(simulated=verified.simulated)
    return [*warning, Sheet("Deciding boot", about), Sheet("Machine", machine)]


@command("boot", example="0x3fa9 --policy policy.json --out evidence.json")
@argument("INTENT", "Digest of the intent, or its start.")
@Option("--policy FILE", "Verification policy.", type=FILE, required=True)
@Option("--out FILE", "File for the evidence.", type=FILE)
@Option("--at", "Time of verification.", type=TIME, show_default="the boot's publication")
@shows(_boot_view)
def boot(here: Session, *, intent: str, policy: Path, out: Path | None, at: int | None) -> Answer:
    """Verify the evidence of the boot that decided an intent. Exit code 14 means it fails."""
    accepted = read_canonical(policy, VerificationPolicy)
    # 1.
    outcome = _outcome(here, intent.rstrip("….").lower())
    record, published_ms = _published(here, outcome["boot"])
    # 2.
    named = named_signer(here.registry, outcome)
    # 3. Nothing is printed or written before this passes.
    verified = _verified(record, named, accepted, published_ms if at is None else at)
    if out:
        file = EvidenceFile.decode(base64.b64decode(record.evidence))
        write_evidence(file, out, f" --nonce {file.nonce} --purpose {Purpose.SIGNER_BOOT}")
    facts = record.facts
    shown = {"intent": outcome["intent"], "boot": record.id, "facts": facts.plain()}
    return Answer(shown | verified_json(verified), facts=facts, verified=verified)


def write_evidence(file: EvidenceFile, out: Path, more: str) -> None:
    """Write evidence to a file and print the command that verifies it."""
    write_atomic(out, file.encode(), replace=True)
    verifying = f"sixgate attest verify {out} --policy FILE{more}"
    notice(f"The evidence is in {out}. Verify it: {verifying}")


def _outcome(here: Session, intent: str) -> Json:
    outcome = trail_of(here.api.trail(intent)).outcome
    if outcome is None:
        raise CommandError(ExitCode.NOT_FOUND, "the intent has no outcome yet: retry later")
    if not _DIGEST.fullmatch(str(outcome.get("boot", ""))):
        why = "the outcome names no boot: the signer that decided it was not attested"
        raise CommandError(ExitCode.NOT_FOUND, why)
    return outcome


def _published(here: Session, boot: str) -> tuple[SignerBoot, int]:
    """Return the record of a boot, and the time of its log entry."""
    rows = here.api.sql(BOOT.format(boot=boot))["rows"]
    if not rows:
        why = f"the ledger has no record of boot {boot}: it was omitted, or has not arrived yet"
        raise CommandError(ExitCode.NOT_ATTESTED, f"{why}; retry")
    body, at_ms = rows[0]
    try:
        return SignerBoot.decode(str(body).encode()), int(at_ms)
    except MalformedError as error:
        why = f"the record of boot {boot} is malformed: {error}"
        raise CommandError(ExitCode.NOT_ATTESTED, why) from None


def named_signer(registry: Json, outcome: Json) -> ExpectedSigner:
    """Return the signer that an outcome names and its keys, if one of them signed the outcome.

    Former keys count: outcomes stay signed with the key of their time. The boot's key may differ
    from the outcome's, because after a key rotation a boot publishes what the previous one decided.
    """
    signer = str(outcome.get("signer"))
    keys = tuple(registry["signer_keys"].get(signer, ()))
    try:
        signature = bytes.fromhex(str(outcome.get("signature", ""))[2:])
    except ValueError:
        signature = b""
    if not any(signature_is_valid(key, signature, signed_part(outcome)) for key in keys):
        why = "the outcome is not signed by a registered key of the signer that it names"
        raise CommandError(ExitCode.NOT_ATTESTED, why)
    return ExpectedSigner(registry["org"], signer, keys)


def _verified(
    record: SignerBoot, named: ExpectedSigner, policy: VerificationPolicy, at_ms: int
) -> Verified:
    try:
        return check_boot(record, named, policy, at_ms)
    except BootVerificationError as error:
        raise CommandError(ExitCode.NOT_ATTESTED, str(error)) from None
    except EvidenceError as error:
        evidence = "simulated evidence" if record.simulated else "evidence"
        why = f"the boot's {evidence} fails at step {error.step}: {error} ({error.code})"
        raise CommandError(ExitCode.NOT_ATTESTED, why) from None
