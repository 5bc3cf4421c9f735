"""The allowlist gate: who may receive value, be called or be delegated to."""

from schemas.intents.reasons import Gate
from schemas.topics import Topic
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.ALLOWLIST, Topic.ALLOWLISTED)
