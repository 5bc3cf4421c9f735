from schemas.clearance import Gate
from schemas.topics import Topic
from signer.rules.allowlist import decide
from streams.gates.passage import RuleGate

GATE = RuleGate(Gate.ALLOWLIST, Topic.ALLOWLISTED, decide)
