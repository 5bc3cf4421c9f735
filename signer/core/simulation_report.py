"""Verifies that a registered simulator signed a simulation report for exactly this intent."""

from schemas.canonical import MalformedError
from schemas.dsse import SIMULATION_TYPE, Envelope
from schemas.intents.intent import Intent
from schemas.intents.reasons import Reason
from schemas.intents.simulation import SimulationReport
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope


def verified_report(
    envelope: Envelope | None, registry: Registry, intent: Intent, intent_name: str
) -> tuple[SimulationReport | None, Reason | None]:
    """Return the verified report and None, or None and the reason to distrust it.

    Without an envelope, return None twice.
    """
    if envelope is None:
        return None, None
    try:
        report = _read(envelope, registry)
    except (MalformedError, InvalidSignatureError):
        return None, Reason.SIMULATION_UNTRUSTED
    if (report.intent, report.chain_id) != (intent_name, intent.chain_id):
        return None, Reason.SIMULATION_UNTRUSTED
    return report, None


def _read(envelope: Envelope, registry: Registry) -> SimulationReport:
    simulator = envelope.signatures[0].keyid
    public_key = registry.service_key("simulator", simulator)
    if public_key is None:
        raise InvalidSignatureError("no such simulator is registered")
    return SimulationReport.decode(open_envelope(envelope, SIMULATION_TYPE, public_key))
