"""The simulation gate: judges the simulator's report, if one is required."""

from schemas.intents.reasons import Gate
from schemas.topics import Topic
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.SIMULATION, Topic.DECIDED)
