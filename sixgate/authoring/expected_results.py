"""How an intent ends, as a line of a file may expect it."""

from schemas.outcome import SIGNED_TYPES
from sixgate.api import Json

SIGNED = "signed"


def ended_as(event: Json) -> str:
    """Return how a terminal event ends its intent: ``signed``, or the code of the reason."""
    return SIGNED if event["type"] in SIGNED_TYPES else str(event["reason"])
