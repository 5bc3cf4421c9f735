from schemas.clearance import Gate
from schemas.topics import Topic
from signer.rules.value_cap import decide
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.VALUE_CAP, Topic.CAPPED, decide)
