"""Results of intents as lines of a file expect them: ``signed`` or a reason code."""

from schemas.intents.outcome import SIGNED_TYPES
from sixgate.api import Json

SIGNED = "signed"


def result_of(event: Json) -> str:
    """Return the result of a terminal event: ``signed`` or its reason code."""
    return SIGNED if event["type"] in SIGNED_TYPES else str(event["reason"])
