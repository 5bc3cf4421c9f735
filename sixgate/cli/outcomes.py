"""Intents and outcomes in words, and the trail of an intent through the gates; pure."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rich.text import Text

from schemas.canonical import MalformedError
from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import (
    AnyIntent,
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
    decode_intent,
    intent_digest,
)
from schemas.intents.money import wei_to_eth
from schemas.intents.outcome import SIGNED_TYPES, TransactionSigned
from schemas.intents.reasons import Gate
from sixgate.api import REFUSED, Json
from sixgate.cli.advice import advice
from sixgate.cli.formats import address, format_time
from sixgate.cli.terminal import safe, short

Chains: TypeAlias = Mapping[int, Json]
"""Registered chains by id."""
Rows: TypeAlias = Iterator[tuple[str, object]]
TEXT_SHOWN = 74  # a selector and the first word
BYTES_GONE = "gone: the log no longer holds this outcome"
KINDS = {
    "personal_sign": "message",
    "typed_data": "typed data",
    "authorization": "delegation",
}
OUTCOMES = {
    "transaction.signed": "signed",
    "message.signed": "signed",
    "intent.rejected": "rejected",
    REFUSED: "rejected",
    "intent.unattributed": "unattributed",
}
ENDS = (*SIGNED_TYPES, "intent.rejected")
_STYLES = {"signed": "green", "rejected": "red", "unattributed": "red"}


def by_id(chains: Iterable[Json]) -> Chains:
    """Return chains by id."""
    return {chain["chain_id"]: chain for chain in chains}


def outcome_of(kind: str) -> Text:
    """Return the outcome for an event type, coloured."""
    name = OUTCOMES.get(kind, kind)
    return safe(name, _STYLES.get(name, "yellow"))


def native(value_wei: int | str, unit: str) -> str:
    """Format an amount in a chain's native unit; ``unit`` is empty for an unknown chain."""
    return f"{wei_to_eth(int(value_wei))} {unit}".strip()


def fee_wei_max(event: Json) -> int:
    """Return the maximum fee of a signed transaction in wei, including blobs."""
    from signer.core.ethereum.gas import cost_wei_max
    from signer.core.transactions import transaction_of

    outcome = TransactionSigned.model_validate_json(json.dumps(event))
    return cost_wei_max(transaction_of(outcome))


def transfer(chain_id: int, to: str | None, value_wei: int, data: str, chains: Chains) -> str:
    """Summarise a transaction in one line."""
    chain = chains.get(chain_id, {"name": f"chain {chain_id}", "symbol": ""})
    call = f" + {len(data) // 2 - 1} bytes" if data != "0x" else ""
    value = native(value_wei, chain["symbol"])
    return f"{value}{call} → {short(to, 6) + '…' if to else 'new contract'} on {chain['name']}"


def message(kind: str, chain_id: int, chains: Chains) -> str:
    """Summarise a message in one line."""
    return f"{KINDS.get(kind, kind)} for {chain_name(chain_id, chains)}"


def chain_name(chain_id: int, chains: Chains) -> str:
    """Return the name of a chain; id 0 means every chain."""
    unknown = f"chain {chain_id}" if chain_id else "every chain"
    return str(chains.get(chain_id, {}).get("name", unknown))


def summary(intent: AnyIntent, chains: Chains) -> str:
    """Summarise an intent in one line."""
    if isinstance(intent, TransactionIntent):
        return transfer(intent.chain_id, intent.to, intent.value_wei, intent.data, chains)
    return message(intent.kind, intent.chain_id, chains)


def intent_rows(intent: AnyIntent, chains: Chains, unit: str) -> Rows:
    """Yield names and values of an intent's fields."""
    yield "intent", intent_digest(intent.encode())
    yield "agent", f"{intent.agent} of account {intent.account}"
    yield "chain", f"{chain_name(intent.chain_id, chains)} ({intent.chain_id})"
    yield from _of_kind(intent, unit)
    yield "key", intent.key_path
    yield "idempotency key", intent.idempotency_key
    yield "expires", format_time(intent.expires_at_ms)


def _of_kind(intent: AnyIntent, unit: str) -> Rows:
    match intent:
        case TransactionIntent():
            from signer.core.transactions import type_of

            yield "type", str(type_of(intent))
            yield "to", address(intent.to) if intent.to else "new contract"
            yield "value", native(intent.value_wei, unit)
            if intent.data != "0x":
                yield "data", _truncated(intent.data)
        case MessageIntent():
            yield "message", _truncated(_text(intent.message))
        case TypedDataIntent():
            yield "typed data", _truncated(intent.typed_data)
        case AuthorizationIntent():
            yield "delegate to", address(intent.delegate)
            if intent.nonce is not None:
                yield "nonce", str(intent.nonce)


def _text(message: str) -> str:
    """Return a message as text if printable, otherwise in hex."""
    try:
        text = bytes.fromhex(message[2:]).decode()
    except UnicodeDecodeError:
        return message
    return text if text.isprintable() else message


def _truncated(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"


def outcome_rows(
    outcome: Json, intent: AnyIntent | None, chains: Chains, *, redacted: bool
) -> Rows:
    """Yield names and values of a terminal event.

    ``redacted`` means it comes from the ledger, which has digests instead of signed bytes.
    """
    yield "result", outcome_of(outcome["type"])
    if "sequence" in outcome:
        yield "sequence", f"{outcome['sequence']} of account {outcome['account']}"
    if outcome["type"] not in SIGNED_TYPES:
        yield from _refused(outcome, intent, chains)
        return
    yield "sender", address(outcome["sender"])
    if outcome["type"] == "message.signed":
        yield from _signed_message(outcome)
        signature = outcome.get("message_signature", BYTES_GONE)
        yield f"signature{' digest' if redacted else ''}", signature
    else:
        yield from _transaction(outcome, chains)
        raw = outcome.get("raw_transaction", BYTES_GONE)
        yield f"raw {'digest' if redacted else 'transaction'}", raw


def _refused(outcome: Json, intent: AnyIntent | None, chains: Chains) -> Rows:
    yield "reason", f"{outcome.get('gate', 'admission')}: {outcome['reason']}"
    yield "detail", outcome["detail"]
    if intent:
        chain = chain_name(intent.chain_id, chains)
        yield "next step", advice(outcome["reason"], intent, chain)


def _transaction(outcome: Json, chains: Chains) -> Rows:
    unit = chains.get(outcome["chain_id"], {}).get("symbol", "")
    yield "nonce", str(outcome["nonce"])
    yield "gas", f"{outcome['gas_limit']:,} from {outcome['gas_from']}"
    yield "fee at most", f"{native(fee_wei_max(outcome), unit)} from {outcome['fees_from']}"
    yield "hash", outcome["transaction_hash"]


def _signed_message(outcome: Json) -> Rows:
    if "primary_type" in outcome:
        yield "type", outcome["primary_type"]
    if "verifying_contract" in outcome:
        yield "contract", address(outcome["verifying_contract"])
    if "nonce" in outcome:
        yield "nonce", str(outcome["nonce"])
    yield "signed digest", outcome["signed_digest"]


@dataclass(frozen=True, slots=True)
class Step:
    """One gate's verdict; ``passed`` is None if the intent did not reach the gate."""

    gate: Gate
    passed: bool | None
    at_ms: int | None = None
    reason: str = ""
    detail: str = ""
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trail:
    """The intent, each gate's step, and the outcome if it is decided.

    ``repeats`` is the intent whose outcome it shares, if it repeats that one's request.
    """

    intent: AnyIntent | None
    steps: tuple[Step, ...]
    outcome: Json | None
    repeats: str | None = None


def trail_of(events: Sequence[Json]) -> Trail:
    """Build an intent's trail from its events, in their order.

    The gates' verdicts are advice; the signing step is the signer's own decision over all rules.
    """
    verdicts: dict[str, Json] = {}
    outcome: Json | None = None
    repeats: str | None = None
    for record in events:
        event = record["event"]
        verdicts |= {verdict["gate"]: verdict for verdict in event.get("verdicts", ())}
        if event.get("type") in ENDS and outcome is None:
            outcome = event
        if event.get("action") == "intent.duplicate" and event["detail"] != event["subject"]:
            repeats = event["detail"]
    steps = [_step(gate, verdicts.get(gate)) for gate in Gate if gate is not Gate.SIGNING]
    steps.append(_signing(outcome))
    return Trail(_intent(events), tuple(steps), outcome, repeats)


def _step(gate: Gate, verdict: Json | None) -> Step:
    if verdict is None:
        return Step(gate, None)
    return Step(
        gate,
        verdict["passed"],
        verdict["at_ms"],
        verdict.get("reason", ""),
        verdict.get("detail", ""),
        verdict.get("evidence", {}),
    )


def _signing(outcome: Json | None) -> Step:
    if outcome is None:
        return Step(Gate.SIGNING, None)
    signed = outcome["type"] in SIGNED_TYPES
    agrees = "" if signed or outcome["gate"] == Gate.SIGNING else f"{outcome['gate']}: "
    return Step(
        Gate.SIGNING,
        signed,
        outcome["decided_at_ms"],
        outcome.get("reason", ""),
        agrees + outcome.get("detail", ""),
        outcome.get("evidence", {}),
    )


def _intent(events: Sequence[Json]) -> AnyIntent | None:
    """Return the trail's intent, from the first envelope that contains it."""
    for record in events:
        envelope = record["event"].get("envelope", record["event"])
        if envelope.get("payloadType") == INTENT_TYPE:
            try:
                return decode_intent(base64.b64decode(envelope["payload"]))
            except MalformedError:
                return None
    return None
