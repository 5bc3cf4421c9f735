"""Checks of outcomes across rows: one per intent, numbered densely per account.

An event that is not an outcome, or has no valid signature of a signer, is counted as forged and
not checked further: anyone who can write to the topic can add such events, and readers ignore them.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from .format import Row, VerificationError
from .signatures import public_key, unhex, verifies

OUTCOME_TYPES = {"transaction.signed", "message.signed", "intent.rejected"}


class Outcomes:
    """The outcomes so far: one per intent, numbered per account from 1 without a gap."""

    def __init__(self, signers: Sequence[bytes] | None, *, part: bool) -> None:
        self._signers = None if signers is None else [public_key(raw) for raw in signers]
        self._part = part
        self._by_intent: dict[str, bytes] = {}
        self._signed_early: dict[str, bytes] = {}
        self.next: dict[str, int] = {}
        self.count = 0
        self.forged = 0
        self.first_forged: int | None = None

    def add(self, row: Row, event: dict[str, Any]) -> None:
        """Check an event of the topics ``outcomes`` and ``transactions.signed``."""
        # First, so that a forged event uses up neither a sequence number nor an intent.
        if not _is_outcome(event) or not self._is_signed(event):
            self.forged += 1
            self.first_forged = row.seq if self.first_forged is None else self.first_forged
            return
        fingerprint = hashlib.sha256(row.body).digest()[:16]
        if row.topic == "outcomes":
            self._add_outcome(row.seq, event, fingerprint)
        else:
            self._add_signed(row.seq, event["intent"], fingerprint)

    def _add_outcome(self, seq: int, event: dict[str, Any], fingerprint: bytes) -> None:
        intent, account, number = event["intent"], event["account"], event["sequence"]
        known = self._by_intent.get(intent) or self._signed_early.pop(intent, fingerprint)
        if known != fingerprint:
            raise VerificationError(seq, f"it is a second, different outcome of intent {intent}")
        if intent in self._by_intent:
            return  # the same bytes again: a duplicate delivery
        expected = self.next.get(account, number if self._part else 1)
        if number > expected:
            raise VerificationError(
                seq, f"outcome {expected} of account {account} is missing before it"
            )
        if number < expected:
            if self._part:
                return  # possibly a duplicate of an outcome before the part
            raise VerificationError(seq, f"it is a second outcome {number} of account {account}")
        self._by_intent[intent] = fingerprint
        self.next[account] = number + 1
        self.count += 1

    def _add_signed(self, seq: int, intent: str, fingerprint: bytes) -> None:
        """Compare a signed transaction with its outcome, which may follow in a later row."""
        known = self._by_intent.get(intent) or self._signed_early.setdefault(intent, fingerprint)
        if known != fingerprint:
            raise VerificationError(seq, f"it is a second, different outcome of intent {intent}")

    def _is_signed(self, event: dict[str, Any]) -> bool:
        if self._signers is None:
            return True
        signature = unhex(event.get("signature", ""))
        content = {name: value for name, value in event.items() if name != "signature"}
        tag = f"sixgate/event/{event['type']}/v1".encode()
        signed = tag + b"\x00" + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        return any(verifies(key, signature, signed) for key in self._signers)


def _is_outcome(event: dict[str, Any]) -> bool:
    texts = (event.get("intent"), event.get("account"), event.get("signature", ""))
    return (
        event.get("type") in OUTCOME_TYPES
        and all(isinstance(text, str) for text in texts)
        and isinstance(event.get("sequence"), int)
    )
