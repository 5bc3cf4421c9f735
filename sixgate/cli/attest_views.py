"""Verification results as JSON data and as rows; pure."""

import base64
import hashlib
from typing import Any

from rich.text import Text

from signer.attestation.verify.errors import EvidenceError, Step
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.meanings import PROVES
from signer.attestation.verify.report import FIELDS, GUEST_POLICY_BITS, PLATFORM_BITS, bits
from signer.attestation.verify.tcb import Tcb
from signer.attestation.verify.verify import Verified
from sixgate.api import Json
from sixgate.cli.formats import format_time
from sixgate.cli.render import Field, Listing, table
from sixgate.cli.terminal import safe

SIMULATED = "SIMULATED: a simulated platform signed this; it proves nothing about any machine."
_UNPROVEN = "not proven: the nonce is the file's; prove it with --nonce and the nonce you sent"
_NOT_CHECKED = "not checked: the evidence has no revocation list, and the policy needs none"
TCBS = ("current", "reported", "committed", "launch")
_WIDE = {"policy", "platform_info", "launch_mitigations", "current_mitigations"}
"""Bit fields, shown in hex because they can exceed 2^53."""


def steps(error: EvidenceError | None) -> list[Json]:
    """Return the result of each step: passed, FAILED or not reached."""
    return [
        {"step": int(step), "shows": PROVES[step], "result": _result(step, error)} for step in Step
    ]


def step_list(error: EvidenceError | None) -> Listing:
    """Return the steps as a listing; the failed one has its reason below."""
    return table(
        *(Field("step", right=True), Field("result"), Field("proves", "shows")),
        details=lambda one: (
            [f"{error} ({error.code})"] if error and one["step"] == error.step else []
        ),
    )(steps(error))


def simulated_warning(*, simulated: bool) -> list[Text]:
    """Return the warning about evidence from the simulated platform, if it is from there."""
    return [safe(SIMULATED, "bold red")] if simulated else []


def verified_json(found: Verified) -> Json:
    """Return every decoded field; bytes and bit fields in 0x hex."""
    report = found.report
    return {
        "simulated": found.simulated,
        "generation": found.generation,
        "signing_key": found.signing_key,
        "policy_digest": found.policy_digest,
        "report_digest": report.digest,
        "revocation_checked": found.revocation_checked,
        "at_ms": found.at_ms,
        "report": {field.name: _plain(field.name, getattr(report, field.name)) for field in FIELDS},
        "guest_policy": bits(report.policy, GUEST_POLICY_BITS),
        "platform": bits(report.platform_info, PLATFORM_BITS),
        "author_key_enabled": report.author_key_enabled,
        "mask_chip_key": report.mask_chip_key,
        "tcb": {kind: getattr(found.tcbs, kind).plain() for kind in TCBS},
        "endorsement": {
            "product_name": found.endorsement.product_name,
            "hwid": _hex(found.endorsement.hwid),
            "csp_id": found.endorsement.csp_id,
        },
    }


def properties(found: Verified, *, nonce_is_ours: bool) -> list[tuple[str, object]]:
    """Return the properties to show."""
    report = found.report
    return [
        ("platform", "simulated, not a machine" if found.simulated else "AMD SEV-SNP"),
        ("generation", f"{found.generation}, report version {report.version}"),
        ("signed by", _signer(found)),
        ("measurement", _hex(report.measurement)),
        ("report data", _hex(report.report_data)),
        ("reported TCB", _levels(found.tcbs.reported)),
        ("firmware", ".".join(map(str, report.committed_firmware))),
        ("freshness", "bound to your nonce" if nonce_is_ours else _UNPROVEN),
        ("revocation", "checked" if found.revocation_checked else _NOT_CHECKED),
        ("report", report.digest),
        ("policy", found.policy_digest),
        ("at", format_time(found.at_ms)),
    ]


def claim_rows(evidence: EvidenceFile) -> list[tuple[str, object]]:
    """Return the claims that REPORT_DATA binds besides the nonce: proven if REPORT_DATA is."""
    if evidence.claims is None:
        return []
    key = hashlib.sha256(base64.b64decode(evidence.claims.ephemeral_key)).hexdigest()
    return [
        ("key", f"SHA-256 0x{key}"),
        ("key set", evidence.claims.key_set),
        ("configuration", evidence.claims.configuration),
    ]


def _signer(found: Verified) -> str:
    who = found.endorsement.csp_id or f"chip {_hex(found.endorsement.hwid)}"
    return f"{found.signing_key.upper()} of {who}"


def _result(step: Step, error: EvidenceError | None) -> str:
    if error is None or step < error.step:
        return "passed"
    return "FAILED" if step == error.step else "not reached"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return _hex(value)
    return f"0x{value:x}" if name in _WIDE else value


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"0x{value.hex()}"


def _levels(tcb: Tcb) -> str:
    return ", ".join(f"{name} {value}" for name, value in tcb.plain().items())
