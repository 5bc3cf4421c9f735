"""Runs the demo's records through a pipeline and collects results; outcomes are not trusted.

Senders are recovered from the signatures, and the signed content is compared with the intent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.intent import (
    AnyIntent,
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.outcome import TransactionSigned
from signer.drafts import delegation
from signer.ethereum.decoding import decode_signed, sender
from signer.ethereum.message_signing import V_OFFSET
from signer.ethereum.personal_message import personal_message_hash
from signer.ethereum.signature import recover_address
from signer.ethereum.typed_data.document import read_typed_data
from signer.transactions import transaction_of
from sixgate.api import Json
from sixgate.authoring.expected_results import SIGNED, result_of
from sixgate.cli.demo_records import DemoRecord
from sixgate.cli.progress import Bar
from sixgate.cli.session import Session
from sixgate.cli.trail import Trail, trail_of
from sixgate.clocks import wall_ms

COMPARED: Final = (
    *("chain_id", "to", "value_wei", "data", "nonce", "gas_limit", "gas_price_wei"),
    *("max_fee_per_gas_wei", "max_priority_fee_per_gas_wei", "max_fee_per_blob_gas_wei"),
    *("access_list", "blob_versioned_hashes", "authorization_list"),
)
"""Fields that an intent may set; the signer chooses those that are absent."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """A record, its terminal event, and its trail if it was an intent.

    ``took_ms`` is the producer's wait, from sending to the terminal event. ``recovered`` is the
    address recovered from the event's own signature; empty if nothing was signed.
    """

    number: int
    record: DemoRecord
    event: Json
    repeated: bool
    trail: Trail | None
    took_ms: int
    recovered: str

    @property
    def ending(self) -> str:
        """Return ``signed`` or the reason's code."""
        return result_of(self.event)

    @property
    def as_expected(self) -> bool:
        """Return whether the record ended as its line expects."""
        return self.ending == self.record.expect

    @property
    def genuine(self) -> bool:
        """Return whether the signature signs what the intent requested, by the stated sender."""
        intent = self.record.intent
        requested = intent is not None and matches_intent(intent, self.event)
        return requested and self.recovered == self.event["sender"]

    def plain(self) -> Json:
        """Return the result for JSON."""
        return {
            "label": self.record.label,
            "demo": self.record.kind,
            "expect": self.record.expect,
            "ended": self.ending,
            "repeated": self.repeated,
            "took_ms": self.took_ms,
            "intent": self.record.digest or None,
            "result": self.event,
        }


@dataclass(frozen=True, slots=True)
class DemoRun:
    """All results of one demo."""

    registry: Json
    results: Sequence[DemoResult]
    budgets: Sequence[Json]
    verified: Json
    head: Json

    @property
    def signed(self) -> list[DemoResult]:
        """Return the results with a signature of their own."""
        return [one for one in self.results if one.recovered]

    @property
    def as_expected(self) -> bool:
        """Return whether every record ended as expected and every signature is genuine."""
        endings = all(one.as_expected for one in self.results)
        return endings and all(one.genuine for one in self.signed)

    def plain(self) -> Json:
        """Return the demo for JSON."""
        return {
            "intents": [one.plain() for one in self.results],
            "senders": {one.record.label: one.recovered for one in self.signed},
            "budgets": list(self.budgets),
            "verified": self.verified,
            "head": self.head,
            "as_expected": self.as_expected,
        }


def run_demo(here: Session, records: Sequence[DemoRecord], bar: Bar) -> DemoRun:
    """Send all records, wait for their terminal events, read the trails, verify the ledger."""
    results = []
    for number, (answer, took_ms) in enumerate(_answers(here, records, bar), start=1):
        trail = trail_of(here.api.trail(answer["intent"])) if answer["intent"] else None
        event, repeated = answer["result"], answer["repeated"]
        own = result_of(event) == SIGNED and not repeated
        recovered = recovered_address(event) if own else ""
        record = records[number - 1]
        results.append(DemoResult(number, record, event, repeated, trail, took_ms, recovered))
        bar.show(len(records) + number, title="reading the trails")
    bar.show(2 * len(records), title="verifying the ledger")
    verified = [item["verified"] for item in here.api.verify(head=None) if "verified" in item]
    head = here.api.head()["head"]
    return DemoRun(here.api.registry(), results, here.api.budgets(), verified[-1], head)


def _answers(here: Session, records: Sequence[DemoRecord], bar: Bar) -> list[tuple[Json, int]]:
    """Return the answer to each record, with its latency in milliseconds."""
    sent_ms = wall_ms()
    answers: dict[int, tuple[Json, int]] = {}
    for answer in here.api.submit([record.record() for record in records], wait=True):
        if "index" in answer:
            answers[answer["index"]] = answer, wall_ms() - sent_ms
            bar.show(len(answers), 2 * len(records), "waiting for outcomes")
    return [answers[index] for index in range(len(records))]


def recovered_address(event: Json) -> str:
    """Return the address recovered from the signature of an outcome."""
    if event["type"] == "transaction.signed":
        return f"0x{sender(bytes.fromhex(event['raw_transaction'][2:])).hex()}"
    signature = bytes.fromhex(event["message_signature"][2:])
    parity = bytes([signature[64] - V_OFFSET])
    digest = bytes.fromhex(event["signed_digest"][2:])
    return f"0x{recover_address(digest, signature[:64] + parity).hex()}"


def matches_intent(intent: AnyIntent, event: Json) -> bool:
    """Return whether the signed bytes match both the event and the intent."""
    if not isinstance(intent, TransactionIntent):
        return bool(event["signed_digest"] == f"0x{_signed_digest(intent, event).hex()}")
    outcome = TransactionSigned.model_validate_json(json.dumps(event))
    signed, _ = decode_signed(bytes.fromhex(event["raw_transaction"][2:]))
    wanted = {name: getattr(intent, name) for name in COMPARED}
    stated = {name for name, value in wanted.items() if value is not None} | {"to"}
    return signed == transaction_of(outcome) and all(
        getattr(outcome, name) == wanted[name] for name in stated
    )


def _signed_digest(intent: AnyIntent, event: Json) -> bytes:
    """Return the digest to sign for an intent other than a transaction."""
    match intent:
        case MessageIntent():
            return personal_message_hash(bytes.fromhex(intent.message[2:]))
        case TypedDataIntent():
            return read_typed_data(intent.typed_data, intent.chain_id).digest
        case AuthorizationIntent():
            nonce = event["nonce"] if intent.nonce is None else intent.nonce
            return delegation(intent, nonce).digest
        case TransactionIntent():
            raise ValueError("a transaction is not a message")
