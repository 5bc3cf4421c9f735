"""Fatal errors: they halt a pipeline until an operator has found the cause."""

from signer.attestation.device.platform import CollectionError
from signer.custody.errors import CustodyError
from signer.stage.freshness import RegistryStaleError
from signer.stage.stage import HaltError
from signer.stage.state import StateIntegrityError
from streams.log.errors import LogError
from streams.runners.clock import ClockError
from streams.simulators.simulation import SimulatorError

FATAL_ERRORS = (
    LogError,
    StateIntegrityError,
    HaltError,
    ClockError,
    RegistryStaleError,
    CustodyError,
    CollectionError,
    SimulatorError,
)
"""Every message is one sentence for the operator."""
