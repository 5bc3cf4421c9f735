from schemas.clearance import Gate
from schemas.topics import Topic
from signer.rules.simulation import decide
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.SIMULATION, Topic.DECIDED, decide)
