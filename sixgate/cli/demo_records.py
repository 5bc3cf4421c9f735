"""The demo's records: builds them from the lines of ``examples/intents.jsonl``; pure.

A line without ``demo`` is a normal intent. With it, the line is an attack: ``replay`` and
``changed`` reuse the earlier line labelled ``of``; ``expired`` and ``far`` shift the expiry;
``forged`` signs with an unknown key; ``misrouted`` sends the intent under another account's key;
``malformed`` sends ``bytes`` unchanged.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from schemas.dsse import INTENT_TYPE
from schemas.intent import EXPIRY_MS_MAX, AnyIntent, intent_digest
from schemas.money import eth_to_wei
from schemas.strict_json import read_json
from signer.signatures import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.intent_lines import DEMO, Signers
from sixgate.authoring.producer import Directory

PLAIN = "plain"
HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """A record to send; ``kind`` is the line's ``demo``, ``intent`` is None if malformed."""

    label: str
    kind: str
    expect: str
    account: str
    value: bytes
    intent: AnyIntent | None = None

    @property
    def digest(self) -> str:
        """Return the digest of the intent; empty without one."""
        return intent_digest(self.intent.encode()) if self.intent else ""

    def record(self) -> Json:
        """Return the record in the form of ``Api.submit``."""
        return {"key": self.account, "value": base64.b64encode(self.value).decode()}


@dataclass(slots=True)
class RecordBuilder:
    """Builds records; remembers earlier ones by label."""

    directory: Directory
    signers: Signers
    stranger: Ed25519Signer
    now_ms: int
    new_key: Callable[[], str]
    records: dict[str, DemoRecord] = field(default_factory=dict)

    def plain(self, members: Json, late_ms: int = 0) -> DemoRecord:
        """Build a record of an unchanged intent, created ``late_ms`` from now."""
        form = read_form(members)
        intent = producer.resolve(form, self.directory, self.now_ms + late_ms, self.new_key)
        return self.signed(intent, form.label or "", form.expect)

    def signed(self, intent: AnyIntent, label: str, expect: str) -> DemoRecord:
        """Build a record of an intent signed by its agent."""
        value = producer.sign(intent, self.signers(intent.agent))
        return DemoRecord(label, PLAIN, expect, intent.account, value, intent)

    def earlier(self, members: Json) -> DemoRecord:
        """Return the record of the line that ``of`` names."""
        name = members.get("of")
        if name not in self.records:
            raise IntentFormError([("of", f"no earlier line has the label {name!a}")])
        return self.records[name]


def build_records(lines: Iterable[tuple[int, bytes]], builder: RecordBuilder) -> list[DemoRecord]:
    """Build all records, in order.

    Raises ``IntentFormError`` or ``JsonError`` for an invalid line.
    """
    made = []
    for _, line in lines:
        members: Json = read_json(line)
        kind = members.pop(DEMO, PLAIN)
        if kind not in _BUILDERS:
            raise IntentFormError([(DEMO, f"must be one of {', '.join(_BUILDERS)}")])
        record = replace(_BUILDERS[kind](builder, members), kind=kind)
        builder.records[record.label] = record
        made.append(record)
    return made


def _replay(builder: RecordBuilder, members: Json) -> DemoRecord:
    return replace(builder.earlier(members), label=members["label"], expect=members["expect"])


def _changed(builder: RecordBuilder, members: Json) -> DemoRecord:
    first = builder.earlier(members).intent
    if first is None:
        raise IntentFormError([("of", "names a line that is not an intent")])
    changed = first.model_copy(update={"value_wei": eth_to_wei(members["value"])})
    return builder.signed(changed, members["label"], members["expect"])


def _expired(builder: RecordBuilder, members: Json) -> DemoRecord:
    return builder.plain(members, -HOUR_MS)


def _far(builder: RecordBuilder, members: Json) -> DemoRecord:
    return builder.plain(members, EXPIRY_MS_MAX)


def _forged(builder: RecordBuilder, members: Json) -> DemoRecord:
    record = builder.plain(members)
    body = record.intent.encode() if record.intent else b""
    return replace(record, value=builder.stranger.sign_envelope(INTENT_TYPE, body).encode())


def _misrouted(builder: RecordBuilder, members: Json) -> DemoRecord:
    account = members.pop("account")
    return replace(builder.plain(members), account=account)


def _malformed(_builder: RecordBuilder, members: Json) -> DemoRecord:
    raw = str(members["bytes"]).encode()
    return DemoRecord(members["label"], "", members["expect"], members["account"], raw)


Build: TypeAlias = Callable[[RecordBuilder, Any], DemoRecord]
_BUILDERS: Mapping[str, Build] = {
    PLAIN: RecordBuilder.plain,
    "replay": _replay,
    "changed": _changed,
    "expired": _expired,
    "far": _far,
    "forged": _forged,
    "misrouted": _misrouted,
    "malformed": _malformed,
}
