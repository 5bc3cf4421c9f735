"""``sixgate attest boots`` and ``boot``: verifies the machine that decided an outcome.

1. Read the outcome, and the record of the boot that it names, from the ledger. Neither is trusted.
2. ``named_signer`` verifies that a registered key of the named signer signed the outcome.
3. ``check_boot`` verifies the record of the boot and its evidence under the policy.
"""

import base64
import re
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from schemas.boot import SignerBoot
from schemas.canonical import MalformedError
from schemas.redaction import signed_part
from signer.attestation.binding import Purpose
from signer.attestation.boot import BootVerificationError, ExpectedSigner, check_boot
from signer.attestation.errors import AttestationError
from signer.attestation.evidence import EvidenceFile
from signer.attestation.policy import VerificationPolicy
from signer.attestation.verify import Verified
from signer.signatures import signature_is_valid
from sixgate.api import Json
from sixgate.cli.attest.evidence import Out, write_evidence
from sixgate.cli.attest.views import SIMULATED, properties, verified_json
from sixgate.cli.canonical_files import read_canonical
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.intents.trail import trail_of
from sixgate.cli.render import Listing, Row, Sheet, show
from sixgate.cli.session import Session, fail_usage, session
from sixgate.cli.terminal import print_json, safe, screen
from sixgate.cli.times import format_time, parse_time_ms
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.clocks import wall_ms

BOOT = """SELECT body, at_ms FROM ledger
WHERE topic = 'boots' AND event_id = '{boot}' ORDER BY seq LIMIT 1"""
LISTED = """SELECT event_id, min(JSONExtractString(body, 'facts', 'signer')) AS signer,
    min(JSONExtractUInt(body, 'facts', 'started_at_ms')) AS started_at_ms,
    min(JSONExtractBool(body, 'simulated')) AS simulated
FROM ledger WHERE topic = 'boots' AND type = 'signer.boot'
GROUP BY event_id ORDER BY min(seq) DESC LIMIT {limit}"""
_DIGEST = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


class PublishedBoot(NamedTuple):
    """The record of a boot, and the time of its log entry."""

    record: SignerBoot
    at_ms: int


def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of boots.")] = 20,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """List signer boots that decided intents, newest first, without verifying them."""
    with session(data) as here:
        found = here.api.sql(LISTED.format(limit=limit))["rows"]
    listed = [
        {"boot": boot, "signer": signer, "started_at_ms": at_ms, "simulated": bool(simulated)}
        for boot, signer, at_ms, simulated in found
    ]
    if as_json:
        print_json(listed)
        return
    rows = [
        Row((one["boot"], one["signer"], format_time(one["started_at_ms"]), _platform(one)))
        for one in listed
    ]
    show(Listing(("boot", "signer", "started", "claims"), rows), screen())


def show_(
    *,
    intent: Annotated[
        str, typer.Argument(metavar="INTENT", help="Digest of the intent, or its start.")
    ],
    policy: Annotated[Path, typer.Option(metavar="FILE", help="Verification policy.")],
    out: Out = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", show_default="the boot's publication", help="Time of verification."
        ),
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Verify the evidence of the boot that decided an intent. Exit code 14 means it fails."""
    accepted = read_canonical(policy, VerificationPolicy)
    with session(data) as here:
        # 1.
        outcome = _outcome(here, intent.rstrip("….").lower())
        published = _published(here, outcome["boot"])
        # 2.
        named = named_signer(here.registry, outcome)
    at_ms = published.at_ms if at is None else _moment(at)
    # 3. Nothing is printed or written before this passes.
    verified = _verified(published.record, named, accepted, at_ms)
    if out:
        file = EvidenceFile.decode(base64.b64decode(published.record.evidence))
        write_evidence(file, out, f" --nonce {file.nonce} --purpose {Purpose.SIGNER_BOOT}")
    _print(outcome, published, verified, as_json=as_json)


def _print(outcome: Json, published: PublishedBoot, verified: Verified, *, as_json: bool) -> None:
    facts = published.record.facts
    if as_json:
        named = {"intent": outcome["intent"], "boot": published.record.id}
        print_json(named | {"facts": facts.plain()} | verified_json(verified))
        return
    out = screen()
    if verified.simulated:
        out.print(safe(SIMULATED, "bold red"), soft_wrap=True)
    boot = [
        ("intent", outcome["intent"]),
        ("boot", published.record.id),
        ("signer", f"{facts.signer}, with key {facts.public_key}"),
        ("started", format_time(facts.started_at_ms)),
        ("registry", f"record {facts.registry_sequence}: {facts.registry}"),
        ("key set", facts.key_set),
        ("configuration", facts.configuration),
    ]
    show(Sheet("Deciding boot", boot), out)
    machine = [pair for pair in properties(verified, nonce_is_ours=True) if pair[0] != "freshness"]
    show(Sheet("Machine", machine), out)


def _outcome(here: Session, intent: str) -> Json:
    outcome = trail_of(here.api.trail(intent)).outcome
    if outcome is None:
        raise CommandError(ExitCode.NOT_FOUND, "the intent has no outcome yet: retry later")
    if not _DIGEST.fullmatch(str(outcome.get("boot", ""))):
        why = "the outcome names no boot: the signer that decided it was not attested"
        raise CommandError(ExitCode.NOT_FOUND, why)
    return outcome


def _published(here: Session, boot: str) -> PublishedBoot:
    rows = here.api.sql(BOOT.format(boot=boot))["rows"]
    if not rows:
        why = f"the ledger has no record of boot {boot}: it was omitted, or has not arrived yet"
        raise CommandError(ExitCode.NOT_ATTESTED, f"{why}; retry")
    body, at_ms = rows[0]
    try:
        return PublishedBoot(SignerBoot.decode(str(body).encode()), int(at_ms))
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
    except AttestationError as error:
        evidence = "simulated evidence" if record.simulated else "evidence"
        why = f"the boot's {evidence} fails at step {error.step}: {error} ({error.code})"
        raise CommandError(ExitCode.NOT_ATTESTED, why) from None


def _platform(boot: Json) -> str:
    return "simulated, proves nothing" if boot["simulated"] else "a machine: verify it"


def _moment(text: str) -> int:
    try:
        return parse_time_ms(text, wall_ms())
    except ValueError as error:
        fail_usage(str(error))
