"""Checks that processes halt, with an explanation and without writing anything."""

import re
from contextlib import suppress
from typing import Any

from schemas.canonical import MalformedError
from schemas.dsse import REGISTRY_HEAD_TYPE, Envelope
from schemas.intents.intent import intent_digest
from schemas.ledger.heads import RegistryHead
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import open_envelope
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.folder import REGISTRAR
from sixgate.data_folder.key_files import load_key_file
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka

AHEAD = " ahead.*consumed"
CUT = "registrar signed [0-9]+ records, .*only [0-9]+ .*consumed"
JUMPED = "jumped by [0-9-]+ ms"
NO_NEW_HEAD = "[0-9]+ s old.*sixgate registrar.*consumed"
HEAD_WAIT_S_MAX = 3
HALTS_SOON = {
    name: f"[{name}]\nhead_wait_s_max = {HEAD_WAIT_S_MAX}\n" for name in ("gates", "signer")
}
"""Settings for ``Scaled.more`` with shorter timeouts than in production."""
END_S_MAX = 180
WRITTEN = (Topic.OUTCOMES, Topic.SIGNED, Topic.STATE, Topic.VAULT, Topic.AUDIT)


def written(scaled: Scaled) -> dict[Topic, list[bytes]]:
    """Return all records that a signer can write, committed or not."""
    values = on_kafka(scaled.broker, "read_uncommitted")
    return {topic: values(topic) for topic in WRITTEN}


def traces(scaled: Scaled, envelopes: list[bytes]) -> list[bytes]:
    """Return all records that a signer wrote about some intents: charges, refusals, signatures.

    The last write of a running signer may arrive late, so ``written`` cannot be compared.
    """
    names = [intent_digest(Envelope.decode(raw).body()).encode() for raw in envelopes]
    values = [value for values in written(scaled).values() for value in values]
    return [value for value in values if any(name in value for name in names)]


def await_halt(scaled: Scaled, why: str, *names: str) -> None:
    """Wait until the processes have halted and explained why."""
    for name in names:
        process = scaled.processes.pop(name)
        assert process.wait(END_S_MAX) == ExitCode.HALTED, scaled.log(name)
        assert re.search(why, scaled.log(name)), scaled.log(name)


def at_work(scaled: Scaled) -> None:
    """Start registrar, gates and signer unless they run; wait until all are ready."""
    for name in ("registrar", "gates", "signer"):
        if name not in scaled.processes:
            scaled.start(name)
        if name == "registrar":
            scaled.await_ready(name)  # the others time out without a registry head
    for name in ("gates", "signer"):
        scaled.await_ready(name)


def submit(
    scaled: Scaled, agent: Producer, name: str, count: int = 3, **changes: Any
) -> list[bytes]:
    """Append and return good intents, and one bad intent per rule."""
    values = [agent.signed(f"{name}-{n}", **changes) for n in range(count)]
    values.append(agent.signed(f"{name}-no", to=STRANGER, **changes))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])
    return values


def check_ends(scaled: Scaled, agent: Producer, signed: int, reasons: list[str]) -> list[int]:
    """Wait until all intents have ended; assert promises 2, 3 and 4, and an agent's results.

    Return the times at which the agent's intents were decided.
    """
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    ends = [one for one in found.outcomes if one["agent"] == agent.signer.keyid]
    assert sum(one["type"] == "transaction.signed" for one in ends) == signed
    rejected = [one["reason"] for one in ends if one["type"] == "intent.rejected"]
    assert sorted(rejected) == sorted(reasons)
    return [one["decided_at_ms"] for one in ends]


def registrar_key(scaled: Scaled) -> Ed25519Signer:
    return load_key_file(scaled.folder.key(REGISTRAR), REGISTRAR)


def last_head(scaled: Scaled) -> RegistryHead:
    """Return the registrar's newest registry head."""
    key = registrar_key(scaled).public_key
    found: list[RegistryHead] = []
    for raw in on_kafka(scaled.broker)(Topic.REGISTRY_HEADS):
        with suppress(MalformedError, InvalidSignatureError):
            body = open_envelope(Envelope.decode(raw), REGISTRY_HEAD_TYPE, key)
            found.append(RegistryHead.decode(body))
    return [head for head in found if head.org == "acme"][-1]


def send_heads(scaled: Scaled, *values: bytes) -> None:
    scaled.send([Outgoing(Topic.REGISTRY_HEADS, REGISTRAR, value) for value in values])
