"""The chain restriction gate: chains that the policy allows."""

from schemas.intents.reasons import Gate
from schemas.topics import Topic
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.CHAIN_RESTRICTION, Topic.CHAIN_CLEARED)
