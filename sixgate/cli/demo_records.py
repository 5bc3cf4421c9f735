"""The demo's records: builds them from the lines of ``examples/intents.jsonl``; pure.

A line without ``demo`` is a normal intent. With it, the line is an attack: ``replay`` and
``changed`` reuse the earlier line labelled ``of``; ``expired`` and ``far`` shift the expiry;
``forged`` signs with an unknown key; ``misrouted`` sends the intent under another account's key;
``malformed`` sends ``bytes`` unchanged.
"""

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

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
KINDS = (PLAIN, "replay", "changed", "expired", "far", "forged", "misrouted", "malformed")
LATE_MS = {"expired": -60 * 60 * 1000, "far": EXPIRY_MS_MAX}
"""How far from now a line's intent is created."""


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

    def build(self, members: Json) -> DemoRecord:
        """Build the record of a line and remember it."""
        kind = members.pop(DEMO, PLAIN)
        made = replace(self._build(kind, members), kind=kind)
        self.records[made.label] = made
        return made

    def _build(self, kind: str, members: Json) -> DemoRecord:
        match kind:
            case "plain" | "expired" | "far":
                return self._signed(members, LATE_MS.get(kind, 0))
            case "forged":
                return self._signed(members, by=self.stranger)
            case "misrouted":
                account = members.pop("account")
                return replace(self._signed(members), account=account)
            case "malformed":
                raw = str(members["bytes"]).encode()
                return DemoRecord(members["label"], "", members["expect"], members["account"], raw)
            case "replay":
                earlier = self._earlier(members)
                return replace(earlier, label=members["label"], expect=members["expect"])
            case "changed":
                return self._changed(members)
        raise IntentFormError([(DEMO, f"must be one of {', '.join(KINDS)}")])

    def _signed(
        self, members: Json, late_ms: int = 0, by: Ed25519Signer | None = None
    ) -> DemoRecord:
        """Build the record of an intent that is created ``late_ms`` from now."""
        form = read_form(members)
        intent = producer.resolve(form, self.directory, self.now_ms + late_ms, self.new_key)
        value = producer.sign(intent, by or self.signers(intent.agent))
        return DemoRecord(form.label or "", PLAIN, form.expect, intent.account, value, intent)

    def _changed(self, members: Json) -> DemoRecord:
        first = self._earlier(members)
        if first.intent is None:
            raise IntentFormError([("of", "names a line that is not an intent")])
        value_wei = eth_to_wei(members["value"])
        intent = first.intent.model_copy(update={"value_wei": value_wei})
        value = producer.sign(intent, self.signers(intent.agent))
        label, expect = members["label"], members["expect"]
        return replace(first, label=label, expect=expect, value=value, intent=intent)

    def _earlier(self, members: Json) -> DemoRecord:
        """Return the record of the line that ``of`` names."""
        name = members.get("of")
        if name not in self.records:
            raise IntentFormError([("of", f"no earlier line has the label {name!a}")])
        return self.records[name]


def build_records(lines: Iterable[tuple[int, bytes]], builder: RecordBuilder) -> list[DemoRecord]:
    """Build all records, in order.

    Raises ``IntentFormError`` or ``JsonError`` for an invalid line.
    """
    return [builder.build(read_json(line)) for _, line in lines]
