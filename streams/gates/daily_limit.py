"""The daily limit gate: charges of the last 24 hours, from a projection that lags."""

from schemas.intents.reasons import Gate
from schemas.topics import Topic
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.DAILY_LIMIT, Topic.WITHIN_LIMIT)
