"""Wire format: canonical bytes, digests, envelopes, partitions, signatures of outcomes; pure.

Source: docs/format.md, whose sections the comments name.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sixgate_client.errors import Json, SixgateError

SUBMITTED, OUTCOMES, SIGNED = "intents.submitted", "outcomes", "transactions.signed"
UNATTRIBUTED, AUDIT = "intents.unattributed", "audit"
INTENT_TYPE = "application/vnd.sixgate.intent.v1+json"
SAFE_INTEGER_MAX = 2**53 - 1
# Section 4: the field in clear on the topic, of which the signature covers only the digest.
REDACTED = {"transaction.signed": "raw_transaction", "message.signed": "message_signature"}
REFUSED = "intent.rejected"
_MASK, _M = 0xFFFFFFFF, 0x5BD1E995
# The field's prime, the group's order, and the y of all points of small order.
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_Y_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y_ORDER_8, _P - _Y_ORDER_8})


class ForgedEventError(SixgateError):
    """The event is no outcome, or no signer that the caller trusts signed it."""


class Receipt(NamedTuple):
    """A submitted intent: its digest and content, and the place and digest of its record.

    ``repeats`` is True if the caller gave the idempotency key, so an earlier submission may exist.
    """

    intent: str
    content: Json
    place: str
    input_digest: str
    repeats: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an intent ended.

    ``duplicate``: the intent was submitted before, and this is its first end. An ``unattributed``
    end is not signed by anyone: it says only that the gates could not authenticate the intent.
    """

    state: Literal["signed", "refused", "unattributed"]
    event: Json
    duplicate: bool = False

    @property
    def raw(self) -> str | None:
        """Return the signed transaction or the signature of the message, in hex."""
        value: str | None = self.event.get(REDACTED.get(self.event["type"], ""))
        return value

    @property
    def reason(self) -> str | None:
        """Return the stable code of a refusal."""
        return self.event.get("reason")

    @property
    def detail(self) -> str | None:
        """Return the sentence of a refusal."""
        return self.event.get("detail")


def canonical(value: object) -> bytes:
    """Return canonical bytes (section 1); raise ``ValueError`` for a value that has none."""
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest(tag: str, body: bytes) -> str:
    """Return the tagged digest (section 2)."""
    return "0x" + hashlib.sha256(tag.encode() + b"\0" + body).hexdigest()


def intent_digest(body: bytes) -> str:
    """Return the digest that names an intent."""
    return digest("sixgate/intent/v1", body)


def event_id(stage: str, source: str) -> str:
    """Return an event's id (section 2)."""
    return digest("sixgate/event-id/v1", f"{stage}\0{source}".encode())


def envelope(body: bytes, keyid: str, key: Ed25519PrivateKey) -> bytes:
    """Return an intent in a signed envelope (section 3)."""
    kind = INTENT_TYPE.encode()
    signature = key.sign(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body))
    content = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": INTENT_TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(signature).decode()}],
    }
    return canonical(content)


def partition_of(account: str, partitions: int) -> int:
    """Return an account's partition: murmur2, as Kafka's Java clients compute it."""
    return (murmur2(account.encode()) & 0x7FFFFFFF) % partitions


def murmur2(key: bytes) -> int:
    """Return the unsigned 32-bit murmur2 hash with Kafka's seed."""
    hashed = 0x9747B28C ^ len(key)
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _M & _MASK
        hashed = (hashed * _M & _MASK) ^ ((word ^ (word >> 24)) * _M & _MASK)
    if whole < len(key):
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    hashed = (hashed ^ (hashed >> 13)) * _M & _MASK
    return hashed ^ (hashed >> 15)


def verified(raw: bytes, signer_keys: Iterable[str]) -> Outcome:
    """Return the outcome in a record; raise ``ForgedEventError`` unless a trusted signer signed it.

    ``signer_keys`` are public keys (0x and 64 hex digits).
    """
    event = parsed(raw)
    kind, signature = event.get("type"), event.get("signature")
    if kind != REFUSED and kind not in REDACTED:
        raise ForgedEventError("the event is no outcome")
    if event.get("id") != event_id("outcome", str(event.get("intent"))):
        raise ForgedEventError("the outcome's id is not that of its intent")
    if not isinstance(signature, str) or not _is_signed(event, str(kind), signature, signer_keys):
        raise ForgedEventError("no trusted signer signed the outcome")
    return Outcome("refused" if kind == REFUSED else "signed", event)


def parsed(raw: bytes | None) -> Json:
    """Return the object in a record; raise ``ForgedEventError`` if there is none."""
    try:
        event = json.loads(raw or b"")
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise ForgedEventError("the record is no object")
    return event


def _is_signed(event: Json, kind: str, signature: str, signer_keys: Iterable[str]) -> bool:
    try:
        message = f"sixgate/event/{kind}/v1".encode() + b"\0" + canonical(_redacted(event, kind))
        made = bytes.fromhex(signature.removeprefix("0x"))
    except (ValueError, RecursionError):
        return False
    return any(verifies(key, made, message) for key in signer_keys)


def _redacted(event: Json, kind: str) -> Json:
    content = {name: value for name, value in event.items() if name != "signature"}
    field = REDACTED.get(kind)
    if field in content:
        content[field] = digest("sixgate/gated/v1", str(content[field]).encode())
    return content


def verifies(public_key: str, signature: bytes, message: bytes) -> bool:
    """Verify a signature strictly, as docs/format.md demands; OpenSSL accepts weak keys and R."""
    key = _public_key(public_key)
    if not (_is_strong(key.public_bytes_raw()) and _is_strong(signature[:32])):
        return False
    if int.from_bytes(signature[32:], "little") >= _L:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _is_strong(point: bytes) -> bool:
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return y < _P and y not in _SMALL_ORDER_Y


@lru_cache
def _public_key(public_key: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key.removeprefix("0x")))


def _check(value: object) -> None:
    match value:
        case bool() | str():
            return
        case int() if abs(value) <= SAFE_INTEGER_MAX:
            return
        case Mapping():
            if not all(isinstance(name, str) and name.isascii() for name in value):
                raise ValueError("names must be ASCII text")
            for member in value.values():
                _check(member)
        case list() | tuple():
            for member in value:
                _check(member)
        case _:
            raise ValueError(f"a {type(value).__name__} has no canonical form here")


def wire_form(fields: Mapping[str, Any]) -> Json:
    """Return an intent's fields in wire form: wei as text, hex in lower case, no absent field."""
    return {name: _field(name, value) for name, value in fields.items() if value is not None}


def _field(name: str, value: object) -> object:  # noqa: PLR0911 - one row per form
    match value:
        case bytes():
            return "0x" + value.hex()
        case str() if name == "message":
            return "0x" + value.encode().hex()
        case str() if name in {"to", "data", "delegate", "address"}:
            return value.lower()
        case int() if name.endswith("_wei") or name in {"r", "s"}:
            return str(value)
        case Mapping():
            return json.dumps(value) if name == "typed_data" else wire_form(value)
        case list() | tuple():
            return [_field("", item) for item in value]
    return value
