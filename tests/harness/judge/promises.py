"""Checks promises 2, 3 and 4 from the records alone, with third-party libraries only.

Call ``check(on_kafka(broker), settled=True)``, or ``check(in_folder(path), settled=True)`` for the
embedded pipeline. This module imports no code of the project.
"""

import base64
import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

DAY_MS = 24 * 60 * 60 * 1000
# The file of an embedded folder that has a topic, and the topic's number in it.
IN_FOLDER = {
    "intents.submitted": ("inbox.db", 0),
    "intents.unattributed": ("pipeline.db", 1),
    "outcomes": ("pipeline.db", 8),
    "transactions.signed": ("pipeline.db", 9),
    "registry": ("inbox.db", 11),
    "boots": ("pipeline.db", 16),
    "audit": ("pipeline.db", 15),
}
UNBORN = "pipeline.db"  # the first run may have ended before it made the file or its table
INTENT_TYPE = "application/vnd.sixgate.intent.v1+json"
Json: TypeAlias = dict[str, Any]
Values: TypeAlias = Callable[[str], list[bytes]]


def digest(tag: str, body: bytes) -> str:
    return "0x" + hashlib.sha256(tag.encode() + b"\x00" + body).hexdigest()


def canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def in_folder(folder: Path) -> Values:
    """Return a function that reads a topic's values from a data folder, by offset."""

    def values(topic: str) -> list[bytes]:
        file, number = IN_FOLDER[topic]
        if file == UNBORN and not (folder / file).exists():
            return []
        db = sqlite3.connect(f"file:{folder / file}?mode=ro", uri=True)
        try:
            tables = "SELECT name FROM sqlite_master"
            if file == UNBORN and ("records",) not in db.execute(tables).fetchall():
                return []
            query = "SELECT value FROM records WHERE topic = ? ORDER BY partition, offset"
            return [value for (value,) in db.execute(query, (number,))]
        finally:
            db.close()

    return values


@dataclass
class Registered:
    """The registry as plain data."""

    agents: dict[str, Json] = field(default_factory=dict)
    policies: dict[str, Json] = field(default_factory=dict)
    signers: dict[str, str] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)

    def key_of(self, agent: Json) -> str:
        """Return the key that must have signed an agent's intents; raise ``KeyError``."""
        own: str | None = agent.get("public_key")
        return own if own is not None else self.gateways[agent["gateway"]]


@dataclass
class TopicContents:
    """The contents of one organisation's topics."""

    registered: Registered
    intents: dict[str, Json]
    strangers: list[bytes]
    outcomes: list[Json]
    signed: list[Json]
    unattributed: list[Json]
    boots: list[Json]
    duplicates: list[Json]

    def ended(self) -> set[str]:
        """Return the intents that have an outcome: their own, or that of the request they repeat.

        An audit record alone proves nothing: the intent that it names must have an outcome, and
        the agent must have signed the same request twice.
        """
        decided = {outcome["intent"] for outcome in self.outcomes}
        return decided | {
            again["subject"]
            for again in self.duplicates
            if again["detail"] in decided & set(self.intents)
            and again["subject"] in self.intents
            and request(self.intents[again["subject"]]) == request(self.intents[again["detail"]])
        }

    def strangers_ended(self) -> bool:
        """Return whether every input that no agent signed has an event with its digest."""
        ends = {event["input_digest"] for event in self.unattributed}
        return {digest("sixgate/input/v1", raw) for raw in self.strangers} <= ends


def request(intent: Json) -> bytes:
    """Return an intent without what a client fills in anew for each attempt."""
    anew = ("expires_at_ms", "client_share")
    return canonical({name: value for name, value in intent.items() if name not in anew})


def read_registered(values: Values) -> Registered:
    """Return the registry; ignore a record that does not continue the chain."""
    registered, wanted = Registered(), 0
    for raw in values("registry"):
        record = orjson.loads(base64.b64decode(orjson.loads(raw)["payload"]))
        if record["sequence"] != wanted:
            continue
        entry, wanted = record["entry"], wanted + 1
        if entry["type"] == "agent.set":
            registered.agents[entry["agent"]] = entry
        elif entry["type"] == "policy.set":
            registered.policies[entry["policy_id"]] = entry["policy"]
        elif entry["type"] == "service.set" and entry["role"] == "signer":
            registered.signers[entry["name"]] = entry["public_key"]
        elif entry["type"] == "service.set" and entry["role"] == "gateway":
            registered.gateways[entry["name"]] = entry["public_key"]
    return registered


def read(values: Values) -> TopicContents:
    registered = read_registered(values)
    intents, strangers = {}, []
    for raw in values("intents.submitted"):
        body = authentic(raw, registered)
        if body is None:
            strangers.append(raw)
        else:
            intents[digest("sixgate/intent/v1", body)] = orjson.loads(body)
    return TopicContents(
        registered,
        intents,
        strangers,
        [orjson.loads(raw) for raw in values("outcomes")],
        [orjson.loads(raw) for raw in values("transactions.signed")],
        [orjson.loads(raw) for raw in values("intents.unattributed")],
        [orjson.loads(raw) for raw in values("boots")],  # read after the outcomes that name them
        [e for e in map(orjson.loads, values("audit")) if e.get("action") == "intent.duplicate"],
    )


def authentic(raw: bytes, registered: Registered) -> bytes | None:
    """Return the intent's bytes if its agent signed them, else None."""
    try:
        envelope = orjson.loads(raw)
        body = base64.b64decode(envelope["payload"], validate=True)
        agent = registered.agents[orjson.loads(body)["agent"]]
        pae = b"DSSEv1 %d %b %d %b" % (len(INTENT_TYPE), INTENT_TYPE.encode(), len(body), body)
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        return body if verifies(registered.key_of(agent), signature, pae) else None
    except (ValueError, KeyError, TypeError):
        return None


@cache
def verifies(public_key: str, signature: bytes, message: bytes) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key[2:]))
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


@cache
def decoded(raw: HexBytes) -> tuple[Json, str]:
    """Return a signed transaction's fields and its sender."""
    return TypedTransaction.from_bytes(raw).as_dict(), Account.recover_transaction(raw).lower()


def check(values: Values, *, settled: bool) -> TopicContents:
    """Assert promises 2, 3 and 4; with ``settled`` also that nothing is missing."""
    found = read(values)
    check_one_outcome_each(found)
    check_signatures(found)
    check_boots(found)
    check_transactions(found)
    check_nonces(found)
    check_requests(found)
    check_limits(found)
    if settled:
        check_nothing_missing(found)
    return found


def check_one_outcome_each(found: TopicContents) -> None:
    names = [outcome["intent"] for outcome in found.outcomes]
    assert len(names) == len(set(names)), "an intent has two outcomes"
    assert set(names) <= set(found.intents), "an outcome of an intent that nobody signed"
    last: dict[str, int] = defaultdict(int)
    for outcome in found.outcomes:
        last[outcome["account"]] += 1
        assert outcome["sequence"] == last[outcome["account"]], "an outcome is missing before it"
    hashes = [o for o in found.outcomes if o["type"] == "transaction.signed"]
    assert [o["id"] for o in hashes] == [s["id"] for s in found.signed]


def check_signatures(found: TopicContents) -> None:
    assert all(proven(one, one["signer"], found.registered) for one in found.outcomes)


def proven(event: Json, signer: str, registered: Registered) -> bool:
    """Return whether the registered signer that an event names has signed it."""
    content = {k: v for k, v in event.items() if k != "signature"}
    if "raw_transaction" in content:
        raw = content["raw_transaction"].encode()
        content["raw_transaction"] = digest("sixgate/gated/v1", raw)
    message = f"sixgate/event/{event['type']}/v1".encode() + b"\x00" + canonical(content)
    public_key = registered.signers[signer]
    return verifies(public_key, bytes.fromhex(event["signature"][2:]), message)


def check_boots(found: TopicContents) -> None:
    """Assert that the boot that an outcome names is on record and belongs to its signer."""
    known = {boot["id"]: boot for boot in found.boots}
    for boot in found.boots:
        assert boot["id"] == digest("sixgate/boot/v1", canonical(boot["facts"]))
        assert proven(boot, boot["facts"]["signer"], found.registered)
    for outcome in found.outcomes:
        if "boot" in outcome:
            assert known[outcome["boot"]]["facts"]["signer"] == outcome["signer"], "no such boot"


def check_transactions(found: TopicContents) -> None:
    for signed in found.signed:
        intent = found.intents[signed["intent"]]
        tx, sender = decoded(HexBytes(signed["raw_transaction"]))
        assert tx["chainId"] == intent["chain_id"]
        assert str(tx["value"]) == intent["value_wei"]
        assert "0x" + bytes(tx["to"]).hex() == intent.get("to", "0x")
        assert "0x" + bytes(tx["data"]).hex() == intent["data"]
        assert tx["nonce"] == signed["nonce"]
        assert sender == signed["sender"]


def check_nonces(found: TopicContents) -> None:
    used = [(s["sender"], s["chain_id"], s["nonce"]) for s in found.signed]
    assert len(used) == len(set(used)), "a nonce was used twice"


def check_requests(found: TopicContents) -> None:
    """Assert that no request is signed twice, and no repetition has an outcome of its own."""
    signed = [request(found.intents[one["intent"]]) for one in found.outcomes if "sender" in one]
    assert len(signed) == len(set(signed)), "a request was signed twice"
    decided, ended = {outcome["intent"] for outcome in found.outcomes}, found.ended()
    for again in found.duplicates:
        if again["subject"] != again["detail"] and again["subject"] in ended:
            assert again["subject"] not in decided, "a repetition has an outcome of its own"


def check_limits(found: TopicContents) -> None:
    by_account: dict[str, list[Json]] = defaultdict(list)
    for signed in found.signed:
        policy = policy_of(found, signed)
        if policy["tx_to_allowlist"] not in ([], "any"):
            assert signed.get("to") in policy["tx_to_allowlist"]
        assert int(signed["value_wei"]) <= wei(policy.get("tx_max_value_eth"))
        by_account[signed["account"]].append(signed)
    for spends in by_account.values():
        check_windows(found, sorted(spends, key=lambda s: s["decided_at_ms"]))


def check_windows(found: TopicContents, spends: list[Json]) -> None:
    """Assert for every spend that the 24 hours before it stay within its agent's limit."""
    first = total = 0
    for last, spend in enumerate(spends):
        total += int(spend["value_wei"])
        while spends[first]["decided_at_ms"] < spend["decided_at_ms"] - DAY_MS:
            total -= int(spends[first]["value_wei"])
            first += 1
        assert total <= wei(policy_of(found, spend).get("tx_daily_limit_eth")), f"spend {last}"


def check_nothing_missing(found: TopicContents) -> None:
    assert found.ended() == set(found.intents), "an intent has no outcome"
    assert found.strangers_ended(), "garbage has no event"


def policy_of(found: TopicContents, signed: Json) -> Json:
    return found.registered.policies[found.registered.agents[signed["agent"]]["policy_id"]]


def wei(amount: str | None) -> int:
    return 2**256 if amount in (None, "unlimited") else int(Decimal(str(amount)) * 10**18)
