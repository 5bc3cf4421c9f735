"""The value cap gate: the largest value of one transaction."""

from schemas.intents.reasons import Gate
from schemas.topics import Topic
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.VALUE_CAP, Topic.CAPPED)
