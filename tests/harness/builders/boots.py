"""A signer's life, attested by nothing: for tests of what becomes of its record."""

import base64
from typing import Any

from schemas.boot import BootFacts, SignerBoot, evidence_digest
from signer.registry import Registry
from tests.harness.builders.cases import NOW_MS, SIGNER

EVIDENCE = b"{}"


def life(unique: int, **changes: Any) -> SignerBoot:
    """Return the record of a boot; ``unique`` tells one life from another."""
    members: dict[str, Any] = {
        "org": "acme",
        "signer": SIGNER.keyid,
        "public_key": SIGNER.public_key,
        "started_at_ms": NOW_MS,
        "configuration": "0x" + "04" * 32,
        "key_set": "0x" + "03" * 32,
        "registry": Registry("0x" + "00" * 32).head,
        "registry_sequence": 0,
        "unique": f"0x{unique:032x}",
    }
    facts = BootFacts(**(members | changes))
    return SignerBoot(
        id=facts.boot_id(),
        facts=facts,
        evidence=base64.b64encode(EVIDENCE).decode(),
        evidence_digest=evidence_digest(EVIDENCE),
        simulated=True,
    )
