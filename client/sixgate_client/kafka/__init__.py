"""Client of Sixgate's topics: submits signed intents, and verifies what the signer answers."""

from sixgate_client.kafka.outcomes import Outcomes, UndecidedError, follow
from sixgate_client.kafka.producer import Producer
from sixgate_client.kafka.wire import ForgedEventError, Outcome, Receipt

__all__ = [
    "ForgedEventError",
    "Outcome",
    "Outcomes",
    "Producer",
    "Receipt",
    "UndecidedError",
    "follow",
]
