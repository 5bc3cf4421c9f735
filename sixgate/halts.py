"""What halts a pipeline: errors after which nothing may be signed until somebody has looked."""

from signer.attestation.platform import CollectionError
from signer.custody.errors import CustodyError
from signer.freshness import RegistryStale
from signer.stage import StageHalted
from signer.state import StateDamaged
from streams.log.errors import LogError
from streams.runners.clock import ClockHalted
from streams.simulators.simulation import SimulatorError

HALTS = (
    LogError,
    StateDamaged,
    StageHalted,
    ClockHalted,
    RegistryStale,
    CustodyError,
    CollectionError,
    SimulatorError,
)
"""Every message is one sentence for whoever runs the folder."""
