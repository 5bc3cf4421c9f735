"""Rows of an outcome; pure."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from schemas.intent import AnyIntent
from schemas.outcome import SIGNED_TYPES
from sixgate.api import Json
from sixgate.cli.formats import address
from sixgate.cli.intents.advice import advice
from sixgate.cli.intents.intent_summary import chain_name, fee_wei_max, native
from sixgate.cli.intents.submit_views import outcome_of

Rows: TypeAlias = Iterator[tuple[str, object]]


def outcome_rows(
    outcome: Json, intent: AnyIntent | None, chains: Mapping[int, Json], *, redacted: bool
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
        yield from _message(outcome)
        yield f"signature{' digest' if redacted else ''}", outcome["message_signature"]
    else:
        yield from _transaction(outcome, chains)
        yield f"raw {'digest' if redacted else 'transaction'}", outcome["raw_transaction"]


def _refused(outcome: Json, intent: AnyIntent | None, chains: Mapping[int, Json]) -> Rows:
    yield "reason", f"{outcome.get('gate', 'admission')}: {outcome['reason']}"
    yield "detail", outcome["detail"]
    if intent:
        chain = chain_name(intent.chain_id, chains)
        yield "next step", advice(outcome["reason"], intent, chain)


def _transaction(outcome: Json, chains: Mapping[int, Json]) -> Rows:
    unit = chains.get(outcome["chain_id"], {}).get("symbol", "")
    yield "nonce", str(outcome["nonce"])
    yield "gas", f"{outcome['gas_limit']:,} from {outcome['gas_from']}"
    yield "fee at most", f"{native(fee_wei_max(outcome), unit)} from {outcome['fees_from']}"
    yield "hash", outcome["transaction_hash"]


def _message(outcome: Json) -> Rows:
    if "primary_type" in outcome:
        yield "type", outcome["primary_type"]
    if "verifying_contract" in outcome:
        yield "contract", address(outcome["verifying_contract"])
    if "nonce" in outcome:
        yield "nonce", str(outcome["nonce"])
    yield "signed digest", outcome["signed_digest"]
